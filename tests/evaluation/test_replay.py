"""The replay: ranks and means against a plain loop, conventions for ties, unknown items and filters."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.baselines import Markov
from recsys_gru.clicks import generate_clicks
from recsys_gru.errors import ClickLogError, NonFiniteScoresError, ParameterError
from recsys_gru.evaluation import Report, evaluate
from recsys_gru.ranking import ItemFilter, top_k
from recsys_gru.sessions import Sessions, Vocabulary, split_by_time
from tests.oracles import slow_replay, slow_views
from tests.ranking.scorers import TableScorer, events_of, random_table, vocabulary_of

LOGS = st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=6), min_size=1, max_size=6)


def model_of(size: int, seed: int = 0, levels: int = 0) -> TableScorer:
    return TableScorer(vocabulary_of(size), random_table(size, seed, levels))


@settings(max_examples=60, deadline=None)
@given(log=LOGS, levels=st.sampled_from([1, 2, 5]), rows=st.integers(1, 7), seed=st.integers(0, 99))
def test_the_ledger_equals_a_plain_loop_for_any_block_size(
    log: list[list[int]], levels: int, rows: int, seed: int
) -> None:
    model = model_of(9, seed, levels)
    expected = slow_replay(model.table.tolist(), log, 9)
    if not expected:
        with pytest.raises(ClickLogError, match="second known event"):
            evaluate(model, events_of(log), rows=rows)
        return
    report = evaluate(model, events_of(log), rows=rows)
    columns = ["session_id", "position", "item_id", "rank", "rank_standard", "rank_median"]
    assert report.ranks.select(columns).rows() == expected
    assert report.unknown == sum(item >= 9 for session in log for item in session)
    assert report.recall[5] == pytest.approx(np.mean([row[3] <= 5 for row in expected]))
    assert report.mrr[5] == pytest.approx(np.mean([(row[3] <= 5) / row[3] for row in expected]))


def test_equal_scores_everywhere_are_perfect_under_standard_and_worthless_under_conservative() -> None:
    model = model_of(50, levels=1)
    log = events_of([[1, 2, 3], [4, 5]])
    for ties, recall in (("standard", 1.0), ("conservative", 0.0), ("median", 0.0)):
        assert evaluate(model, log, ties=ties).recall == {5: recall, 10: recall, 20: recall}  # type: ignore[arg-type]
    assert evaluate(model, log).ranks["rank_median"].to_list() == [25.5] * 3


def test_the_answer_does_not_depend_on_the_block_size() -> None:
    model = model_of(40, seed=3)
    log = events_of([[i % 40, (i * 7) % 40, (i * 11) % 40] for i in range(200)])
    reports = [evaluate(model, log, rows=rows) for rows in (1, 3, 256, 10_000)]
    assert all(report.ranks.equals(reports[0].ranks) for report in reports)
    assert all((report.recall, report.mrr) == (reports[0].recall, reports[0].mrr) for report in reports)


def test_unknown_clicks_leave_no_trace_when_dropped_and_infinite_ranks_when_missed() -> None:
    model = model_of(5, seed=1)
    log = [[99, 0, 98, 1, 98], [97, 96], [2, 3]]
    dropped = evaluate(model, events_of(log))
    assert dropped.ranks.drop("time", "hour").equals(
        evaluate(model, events_of([[0, 1], [], [2, 3]])).ranks.drop("time", "hour")
    )
    missed = evaluate(model, events_of(log), unknown="miss", cutoffs=[5])
    assert (dropped.events, dropped.unknown, dropped.sessions) == (2, 5, 2)
    assert (missed.events, missed.unknown, missed.sessions) == (6, 5, 3)
    assert missed.recall[5] == pytest.approx(3 / 6)
    lost = missed.ranks.filter(pl.col("rank").is_infinite())
    assert lost.select("session_id", "item_id", "support", "repeat", "position").rows() == [
        (0, 98, 0, False, None),
        (0, 98, 0, True, None),
        (1, 96, 0, False, None),
    ]
    assert missed.ranks.schema["rank"] == pl.Float64


def test_a_log_of_unknown_items_alone_can_be_missed_but_not_dropped() -> None:
    log = events_of([[97, 96]])
    assert evaluate(model_of(5), log, unknown="miss").recall[20] == 0.0
    with pytest.raises(ClickLogError, match="0 known and 2 unknown"):
        evaluate(model_of(5), log)


def test_the_ledger_tells_support_time_hour_and_repeats() -> None:
    ranks = evaluate(model_of(5), events_of([[0, 1, 0, 0], [1, 2]])).ranks
    assert ranks.columns == [
        "session_id", "position", "item_id", "rank", "rank_standard", "rank_median",
        "support", "repeat", "time", "hour", "source", "rank_shown", "tied",
    ]  # fmt: skip
    assert ranks["support"].to_list() == [4, 5, 5, 3]
    assert ranks["repeat"].to_list() == [False, True, True, False]
    assert ranks["time"].dt.minute().to_list() == [1, 2, 3, 5]
    assert ranks["hour"].to_list() == [0, 0, 0, 0]


def test_a_filtered_evaluation_agrees_with_the_lists_the_filter_gives() -> None:
    model = model_of(30, seed=8)
    log = events_of([[i % 30, (i * 7) % 30, (i * 11) % 30, i % 30] for i in range(60)])
    item_filter = ItemFilter(deny=[3, 4, 5], exclude_seen=True)
    report = evaluate(model, log, items=item_filter)
    sessions = Sessions.from_events(log, model.vocabulary_)
    bound = item_filter.bind(sessions)
    hits = [
        np.flatnonzero(row == target) + 1
        for block in model.blocks(sessions, every=True)
        for row, target in zip(
            top_k(block, 30, bound.candidates(block.rows))[0], sessions.items[block.rows + 1], strict=True
        )
    ]
    expected = [float(hit[0]) if len(hit) else np.inf for hit in hits]
    assert report.ranks["rank"].to_list() == expected
    assert report.excluded == sum(np.isinf(expected)) > 0
    assert f"{report.excluded} targets barred" in repr(report)


def test_only_items_live_at_the_moment_of_the_click_before_compete() -> None:
    model = TableScorer(vocabulary_of(4), np.tile(np.array([4, 3, 2, 1], dtype=np.float32), (4, 1)))
    log = events_of([[1, 2, 3]])  # a click at minute 0, 1 and 2
    moments = [None, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)]
    live = pl.DataFrame(
        {
            "item_id": [0, 1, 2, 3],
            "since": [moments[1], None, None, None],
            "until": [None, moments[1], None, None],
        },
        schema_overrides={"since": pl.Datetime("us", "UTC"), "until": pl.Datetime("us", "UTC")},
    )
    report = evaluate(model, log, items=ItemFilter(availability=live))
    assert evaluate(model, log).ranks["rank"].to_list() == [3.0, 4.0]
    assert report.ranks["rank"].to_list() == [2.0, 3.0]  # first 0 is not there yet, then 1 is gone
    gone = live.with_columns(until=pl.when(pl.col("item_id") == 2).then(moments[1]).otherwise(None))
    lost = evaluate(model, log, items=ItemFilter(availability=gone, at=moments[1]))
    assert (lost.ranks["rank"].to_list(), lost.excluded) == ([float("inf"), 3.0], 1)


def test_a_terminal_sees_the_progress(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console.Console.is_terminal", property(lambda _console: True))
    evaluate(model_of(5), events_of([[2, 1, 4], [0, 3]]), progress=True)
    shown = capfd.readouterr()
    assert "events ranked" in shown.err
    assert "3/3" in shown.err
    assert shown.out == ""


def test_broken_scores_are_refused() -> None:
    model = model_of(5)
    model.table[2, 4] = np.nan
    with pytest.raises(NonFiniteScoresError):
        evaluate(model, events_of([[2, 1]]))


@pytest.mark.parametrize(
    "wrong", [{"cutoffs": ()}, {"cutoffs": (5, 0)}, {"ties": "lucky"}, {"unknown": "ignore"}, {"rows": 0}]
)
def test_impossible_arguments_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match="expected"):
        evaluate(model_of(5), events_of([[2, 1]]), **wrong)  # type: ignore[arg-type]


def test_paths_and_frames_and_sessions_give_the_same_report(tmp_path: Path) -> None:
    model, log = model_of(5), events_of([[2, 1, 4], [0, 3]])
    log.write_parquet(tmp_path / "test.parquet")
    reports = [
        evaluate(model, data)
        for data in (log, log.lazy(), tmp_path / "test.parquet", Sessions.from_events(log, model.vocabulary_))
    ]
    assert all(report.ranks.equals(reports[0].ranks) for report in reports)


def test_the_input_frame_is_not_changed_and_progress_is_silent_off_terminals(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = events_of([[2, 1, 4], [0, 3]])
    before = log.clone()
    evaluate(model_of(5), log, progress=True)
    assert log.equals(before)
    assert capfd.readouterr() == ("", "")


def test_a_report_names_its_metrics_for_trackers_and_for_readers() -> None:
    report: Report = evaluate(model_of(5), events_of([[2, 1, 4], [0, 3]]), cutoffs=(3,))
    plain = report.to_dict()
    assert set(plain) >= {"recall_at_3", "mrr_at_3", "events", "unknown", "sessions"}
    assert report.table().rows() == [(3, report.recall[3], report.mrr[3])]
    assert "3 events of 2 sessions" in repr(report)


@settings(max_examples=60, deadline=None)
@given(log=LOGS, knows=st.integers(1, 11), levels=st.sampled_from([1, 2, 5]), rows=st.integers(1, 7))
def test_every_click_from_the_second_on_is_counted_whatever_the_model_knows(
    log: list[list[int]], knows: int, levels: int, rows: int
) -> None:
    model = model_of(knows, levels=levels)
    expected = slow_views(model.table.tolist(), model.vocabulary_.support.tolist(), log)
    if not expected:
        return
    report = evaluate(model, events_of(log), unknown="miss", rows=rows)
    found = report.ranks.sort("session_id", "time").select("rank", "rank_shown", "source").rows()
    assert found == expected
    assert report.events == sum(len(session) - 1 for session in log)


def test_figures_of_all_clicks_of_known_ones_and_as_shown_stand_beside_each_other() -> None:
    model = TableScorer(vocabulary_of(4), np.tile(np.array([4, 3, 2, 1], dtype=np.float32), (4, 1)))
    report = evaluate(model, events_of([[9, 0, 0, 1], [2, 8]]), cutoffs=(1,))
    found = {row["view"]: (row["events"], row["recall"]) for row in report.views().iter_rows(named=True)}
    assert found == {
        "all clicks": (4, 2 / 4),  # popularity foretells 0 after 9, the model 0 after 0
        "known clicks": (2, 1 / 2),
        "all clicks, as shown": (4, 2 / 4),  # 0 is not shown again, so 1 comes first after 0, 0
        "known clicks, as shown": (2, 1 / 2),
    }
    assert report.shares() == {"unknown_share": 1 / 4, "repeat_share": 1 / 2, "tied_share": 0.0}
    assert report.warnings[0].startswith("25% of the clicks are on items that training does not know")
    assert "all clicks, as shown" in repr(report)
    assert "warning: 25%" in repr(report)


def test_clicks_on_items_that_training_has_no_click_on_are_a_view_where_a_model_ranks_them() -> None:
    known = vocabulary_of(4)
    catalogue = Vocabulary(known.ids, np.array([5, 2, 0, 0]))
    model = TableScorer(catalogue, np.tile(np.array([4, 3, 2, 1], dtype=np.float32), (4, 1)))
    log = events_of([[0, 1, 2], [3, 3, 9]])
    report = evaluate(model, log, cutoffs=(1, 3))
    found = report.views().filter(view="clicks on never-seen items")
    assert found.select("k", "events", "recall").rows() == [(1, 3, 0.0), (3, 3, 1 / 3)]
    assert "clicks on never-seen items" in repr(report)
    plain = evaluate(TableScorer(known, model.table), log, cutoffs=(1, 3))
    assert plain.views()["view"].n_unique() == 4
    assert plain.views(never=True).filter(view="clicks on never-seen items")["recall"].to_list() == [0, 0]


def test_few_unknown_clicks_raise_no_warning() -> None:
    assert evaluate(model_of(9), events_of([[1, 2, 3, 4, 5, 6], [7, 99]])).warnings == ()


def test_a_test_on_clicks_the_model_has_learned_from_is_warned_about_also_after_saving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = generate_clicks(n_sessions=300, n_items=30, days=6, seed=1)
    train, test = split_by_time(log, test=timedelta(days=1))
    model = Markov().fit(train)
    assert evaluate(model, test).warnings == ()
    model.save(tmp_path / "model")
    for same in (model, Markov.load(tmp_path / "model")):
        (warning,) = evaluate(same, train).warnings
        assert "within the time that the model has learned from" in warning
        assert warning in caplog.text


def test_a_test_part_of_unknown_items_is_told_to_compare_ids() -> None:
    model = Markov().fit(generate_clicks(200, 30, days=3, seed=1))
    strange = generate_clicks(50, 30, days=3, seed=1).with_columns(item_id=pl.col("item_id") + 10**6)
    with pytest.raises(
        ClickLogError, match=r"compare the ids, the model knows such as \[.* has such as \[100"
    ):
        evaluate(model, strange)
