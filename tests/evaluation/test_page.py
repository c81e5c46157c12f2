"""The report page and the pictures: complete, self-contained, safe against hostile ids."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation import (
    Report,
    ReportPage,
    compare,
    draw_comparison,
    draw_recall_curves,
    draw_slices,
    evaluate,
    example_recommendations,
    first_seen,
    list_metrics,
    metrics_from_ranks,
    read_ranks,
    recall_curve,
    recommendation_lists,
    report_page,
    slices,
    worst_sessions,
    write_report,
)
from tests.evaluation.ledgers import random_ledger
from tests.ranking.scorers import TableScorer, events_of, random_table, vocabulary_of

LOG = events_of([[i % 30, (i * 7) % 30, (i * 11) % 30, (i * 5) % 30] for i in range(40)])
MODEL = TableScorer(vocabulary_of(30), random_table(30, 1))
VOID = {"meta", "line", "path", "polyline", "br"}


class Balance(HTMLParser):
    """Fails on tags that are not closed in order, keeps tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def full_page() -> ReportPage:
    lists = recommendation_lists(MODEL, LOG, 10)
    return ReportPage(
        "Spring <test>",
        evaluate(MODEL, LOG),
        baselines={"other & co": evaluate(TableScorer(MODEL.vocabulary_, random_table(30, 2)), LOG).ranks},
        list_metrics=list_metrics(lists),
        warnings=["beware of <this>"],
        data_ledger=pl.DataFrame({"rule": ["too short"], "rows_before": [1234], "rows_after": [1200]}),
        examples=example_recommendations(MODEL, LOG),
        facts={"loss": "cross-entropy"},
        first_seen=first_seen(LOG),
    )


def test_the_page_tells_everything_it_was_given() -> None:
    page = full_page()
    words = " ".join(parsed(page.html()).words)
    value = metrics_from_ranks(page.report.ranks, ["ndcg"], [10])["ndcg_at_10"]
    for told in (
        "Spring <test>", "other & co", "beware of <this>", "too short", "1,200", "cross-entropy",
        f"{page.report.recall[20]:.4f}", f"{page.report.mrr[20]:.4f}", f"{value:.4f}",
        "age of the target", "came next", "Worst sessions", "intra session diversity",
    ):  # fmt: skip
        assert told in words, told


def test_the_page_needs_nothing_from_elsewhere_and_knows_light_and_dark() -> None:
    text = full_page().html()
    attributes = {name for _, name, _ in parsed(text).attributes}
    assert not attributes & {"src", "href", "onload", "onclick"}
    assert not re.search(r"https?:|url\(|@import|<script", text)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_hostile_ids_stay_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    ranks = random_ledger(20, seed=1).with_columns(pl.lit(bad).alias("item_id"))
    page = ReportPage(
        bad, Report({20: 0.5}, {20: 0.5}, ranks.height, 20, 0, 0, "conservative", "drop", ranks)
    ).html()
    assert "<img" not in page
    assert bad in " ".join(parsed(page).words)


def test_people_read_names_where_items_have_some() -> None:
    titles = pl.Series([f"<b>Ночь {number}</b>" if number % 2 else None for number in range(30)])
    called = TableScorer(replace(MODEL.vocabulary_, names=titles), MODEL.table)
    page = report_page("Named", called, LOG, evaluate(called, LOG)).html()
    assert "<b>Ночь" not in page
    for titled in ("Example recommendations", "Worst sessions"):
        chips = re.findall(
            r'class="chip[^>]*>[^<]*<', page.partition(f"<h2>{titled}")[2].partition("<h2>")[0]
        )
        assert len(chips) > 10
        for chip in chips:
            number = re.search(r"(\d+)", chip.partition("title=")[2] or chip.partition(">")[2])
            assert number is not None
            odd = int(number[1]) % 2
            assert chip.endswith(f">&lt;b&gt;Ночь {number[1]}&lt;/b&gt;<" if odd else f">{number[1]}<")


def test_a_page_of_a_report_alone_leaves_the_other_sections_out(tmp_path: Path) -> None:
    page = ReportPage("Alone", evaluate(MODEL, LOG, unknown="miss"))
    page.write(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    titles = re.findall("<h2>(.*?)</h2>", text)
    assert titles == [
        "Which clicks count",
        "Metrics",
        "Recall by list length",
        "Where it is good: recall@20 by part of the test",
        "Worst sessions",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert text == page.html()


def test_the_filtered_targets_are_told() -> None:
    ranks = random_ledger(20, seed=1)
    report = Report({20: 0.5}, {20: 0.5}, ranks.height, 20, 0, 7, "conservative", "drop", ranks)
    assert "barred 7 targets" in ReportPage("Filtered", report).html()


def test_bars_and_whiskers_stay_on_their_scale() -> None:
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", full_page().html())]
    assert len(widths) > 20
    assert max(widths) <= 100.0


def test_examples_show_the_beginning_the_list_and_where_the_truth_stands() -> None:
    examples = example_recommendations(MODEL, LOG, n=6, k=5)
    assert examples.height == 6
    for row in examples.iter_rows(named=True):
        session = LOG.filter(session_id=row["session_id"])["item_id"].to_list()
        assert [*row["so_far"], row["next"]] == session
        expected = np.lexsort((np.arange(30), -MODEL.table[session[-2]]))[:5].tolist()
        assert row["recommended"] == expected
        assert row["place"] == (expected.index(row["next"]) + 1 if row["next"] in expected else None)
    assert examples.equals(example_recommendations(MODEL, LOG, n=6, k=5))
    with pytest.raises(ClickLogError, match="9 known events"):
        example_recommendations(MODEL, LOG, least=9)


def test_the_worst_sessions_come_first() -> None:
    ranks = random_ledger(60, seed=3)
    worst = worst_sessions(ranks, n=4)
    slow = {
        session: np.mean(1 / part["rank"].to_numpy())
        for (session,), part in ranks.group_by("session_id")
        if part.height >= 3
    }
    assert worst["session_id"].to_list() == sorted(slow, key=lambda session: (slow[session], session))[:4]
    assert (
        worst["targets"][0].to_list() == ranks.filter(session_id=worst["session_id"][0])["item_id"].to_list()
    )


def test_the_curve_is_recall_at_every_cut_off() -> None:
    ranks = random_ledger(60, seed=3)
    for ties in ("conservative", "median"):
        expected = metrics_from_ranks(ranks, ["recall"], range(1, 41), ties)
        assert recall_curve(ranks, 40, ties).tolist() == pytest.approx(list(expected.values()))


def test_one_call_gathers_the_page_and_one_writes_its_files(tmp_path: Path) -> None:
    report = evaluate(MODEL, LOG)
    page = report_page("All", MODEL, LOG, report, baselines={"same": report}, train=LOG, facts={"seed": 1})
    assert page.list_metrics == pytest.approx(
        list_metrics(recommendation_lists(MODEL, LOG, 20), new_items=range(30)), nan_ok=True
    )
    assert page.examples is not None
    assert page.first_seen is not None
    paths = write_report(page, tmp_path / "deep" / "report")
    assert sorted(path.name for path in paths) == sorted(path.name for path in paths[0].parent.iterdir())
    told = json.loads(paths[1].read_text(encoding="utf-8"))
    assert told["recall_at_20"] == report.recall[20]
    assert told["coverage"] == page.list_metrics["coverage"]
    assert read_ranks(paths[2]).equals(report.ranks)


def test_new_items_are_those_first_seen_in_the_last_week_of_training() -> None:
    late = events_of([[3, 3]]).with_columns(pl.col("time") + timedelta(days=30), pl.col("session_id") + 99)
    train = pl.concat([LOG.filter(pl.col("item_id") != 3), late])
    metrics = report_page("Aged", MODEL, LOG, evaluate(MODEL, LOG), train=train).list_metrics
    shown = recommendation_lists(MODEL, LOG, 20).items
    assert metrics["share_of_new_items"] == pytest.approx((shown == 3).mean())
    again = pl.concat([LOG, late])  # item 3 is old, and so are all
    assert (
        report_page("Old", MODEL, LOG, evaluate(MODEL, LOG), train=again).list_metrics["share_of_new_items"]
        == 0
    )


def test_a_metric_that_is_not_defined_is_null_in_the_json(tmp_path: Path) -> None:
    log = events_of([[1, 2], [3, 4]])
    write_report(report_page("Short", MODEL, log, evaluate(MODEL, log)), tmp_path)
    assert (
        json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["intra_session_diversity"] is None
    )


def test_a_page_without_training_part_says_nothing_of_new_items() -> None:
    page = report_page("Bare", MODEL, LOG, evaluate(MODEL, LOG))
    assert page.first_seen is None
    assert "share_of_new_items" not in page.list_metrics


def test_pictures_are_written(tmp_path: Path) -> None:
    a, b = random_ledger(60, seed=3), random_ledger(60, seed=3, shift=0.3)
    draw_recall_curves({"a": a, "b": b}, tmp_path / "curves.png")
    draw_slices(slices(a), tmp_path / "slices.png")
    draw_comparison(compare(a, b), tmp_path / "comparison.png", ("old", "new"))
    for name in ("curves", "slices", "comparison"):
        content = (tmp_path / f"{name}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 5_000
