"""Probabilities against what came: a plain re-computation, known answers, and the way to the page."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recsys_gru as rg
from recsys_gru.blend import Blend
from recsys_gru.contract import Recommender
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation import evaluate, reliability, report_page, write_report
from recsys_gru.evaluation.reliability import EDGES
from recsys_gru.sessions import Sessions, moment_of
from tests.evaluation.test_page import parsed
from tests.oracles import slow_bins
from tests.ranking.scorers import TableScorer, events_of, vocabulary_of

KNOWN = 8
LOGS = st.lists(st.lists(st.integers(0, 10), max_size=6), min_size=1, max_size=12)
"""Sessions of the items 0..10, of which the model knows the first eight."""


class Sure(TableScorer):
    """A table of probabilities."""

    probabilities = True


def sure(seed: int, sharp: float = 2.0) -> Sure:
    """Some probabilities of next items, each row of the sum 1."""
    table = np.random.default_rng(seed).normal(0, sharp, (KNOWN, KNOWN))
    shares = np.exp(table) / np.exp(table).sum(axis=1, keepdims=True)
    return Sure(vocabulary_of(KNOWN), shares.astype(np.float32))


def slow(model: Sure, log: Sequence[list[int]], k: int) -> list[tuple[float, float, int, float, float]]:
    support = model.vocabulary_.support
    return slow_bins(model.table.tolist(), (support / support.sum()).tolist(), log, k, EDGES)


@settings(deadline=None)
@given(log=LOGS, k=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_bins_equal_plain_loops(log: list[list[int]], k: int, seed: int) -> None:
    model = sure(seed)
    packed = Sessions.from_events(events_of(log), model.vocabulary_)
    if not any(len(session) > 1 for session in log):
        with pytest.raises(ClickLogError, match="second click"):
            reliability(model, packed, k)
        return
    found = reliability(model, packed, k)
    expected = slow(model, log, k)
    assert found.bins.select("low", "high", "items").rows() == [row[:3] for row in expected]
    for place, name in ((3, "probability"), (4, "came")):
        assert found.bins[name].to_list() == pytest.approx([row[place] for row in expected], abs=1e-6), name
    items = sum(row[2] for row in expected)
    error = sum(row[2] * abs(row[3] - row[4]) for row in expected) / items
    assert found.calibration_error == pytest.approx(error, abs=1e-6)
    assert found.clicks == sum(max(len(session) - 1, 0) for session in log)
    assert found.sessions == sum(len(session) > 1 for session in log)


def random_log(model: Sure, sessions: int, seed: int) -> pl.DataFrame:
    """Sessions that go on as the model says."""
    generator = np.random.default_rng(seed)
    log = []
    for _ in range(sessions):
        walk = [int(generator.integers(KNOWN))]
        for _ in range(4):
            row = model.table[walk[-1]].astype(np.float64)
            walk.append(int(generator.choice(KNOWN, p=row / row.sum())))
        log.append(walk)
    return events_of(log)


def test_what_comes_as_often_as_promised_lies_within_the_intervals_and_a_model_too_sure_does_not() -> None:
    model = sure(3)
    log = random_log(model, 2000, seed=4)
    found = reliability(model, log, 5)
    inside = found.bins.select(pl.col("probability").is_between("came_low", "came_high")).to_series()
    assert found.bins.height == 9
    assert inside.sum() >= 8
    assert found.calibration_error < 0.01
    powers = model.table**2
    bold = replace(model, table=powers / powers.sum(axis=1, keepdims=True))
    worse = reliability(bold, log, 5)
    assert worse.calibration_error > 5 * found.calibration_error
    assert worse.promised > worse.kept + 0.02


def test_what_came_over_a_list_is_the_recall_of_all_clicks() -> None:
    model = sure(5)
    log = events_of([[0, 1, 9], [9, 2, 2, 8, 3], [10, 9], [4, 5, 6, 7], [9, 10, 1]])
    found = reliability(model, log, 3)
    report = evaluate(model, log, [3], unknown="miss")
    assert found.clicks == report.events
    assert found.kept == pytest.approx(report.recall[3])


def test_clicks_on_unknown_items_keep_their_place() -> None:
    model = Sure(vocabulary_of(2), np.array([[0.25, 0.75], [1, 0]], np.float32))
    found = reliability(model, events_of([[0, 1], [0, 99], [0, 99], [0, 99]]), k=1)
    assert found.bins.select("items", "probability", "came").row(0) == (4, 0.75, 0.25)
    assert found.calibration_error == 0.5
    assert (found.promised, found.kept) == (0.75, 0.25)


def test_context_is_not_counted() -> None:
    model = Blend([rg.Markov()]).fit(events_of([[0, 1, 2, 3], [5, 6, 5, 6], [1, 2, 3]]))
    packed = Sessions.from_events(events_of([[0, 1, 99, 2, 3], [5, 98, 6]]), model.vocabulary_)
    later = packed.from_moment(moment_of(int(packed.times[2])))
    assert reliability(model, packed, 2).clicks == 6
    assert reliability(model, later, 2).clicks == evaluate(model, later, [2], unknown="miss").events == 4


def test_a_long_test_part_is_sampled_by_sessions_in_one_way_for_a_seed() -> None:
    model = sure(2)
    log = random_log(model, 60, seed=7)
    some = reliability(model, log, 5, sessions=20)
    assert (some.sessions, some.clicks) == (20, 80)
    assert some.bins.equals(reliability(model, log, 5, sessions=20).bins)
    assert not some.bins.equals(reliability(model, log, 5, sessions=20, seed=1).bins)


def test_few_sessions_have_no_interval() -> None:
    model = sure(2)
    assert reliability(model, random_log(model, 9, seed=1), 5).bins["came_low"].null_count() > 0
    assert reliability(model, random_log(model, 9, seed=1), 8).bins["came_low"].drop_nulls().is_empty()


def test_only_a_model_of_probabilities_is_asked() -> None:
    assert [one.__name__ for one in _recommenders() if one.probabilities] == ["Blend"]
    model = rg.Markov().fit(events_of([[0, 1], [0, 1]]))
    with pytest.raises(ParameterError, match="got a Markov: give a Blend"):
        reliability(model, events_of([[0, 1]]))
    assert (
        report_page("Counts", model, events_of([[0, 1]]), evaluate(model, events_of([[0, 1]]))).reliability
        is None
    )


def _recommenders() -> list[type[Recommender]]:
    return [
        one
        for name in rg.__all__
        if isinstance(one := getattr(rg, name), type) and issubclass(one, Recommender)
    ]


@pytest.fixture(scope="module")
def blended() -> tuple[Blend, pl.DataFrame]:
    train, test = rg.split_by_time(rg.generate_clicks(900, 40, days=9, seed=1), test=timedelta(days=2))
    return Blend([rg.Markov(), rg.Repeats(), rg.Popularity()]).fit(train), test.lazy().collect()


def test_the_scores_of_a_blend_add_up_to_one(blended: tuple[Blend, pl.DataFrame]) -> None:
    model, test = blended
    for block in model.blocks(Sessions.from_events(test, model.vocabulary_), every=True):
        assert block.tile(0, block.n_items).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_the_report_shows_a_curve_a_table_and_the_figure(
    blended: tuple[Blend, pl.DataFrame], tmp_path: Path
) -> None:
    model, test = blended
    page = report_page("Blend", model, test, evaluate(model, test, [10]))
    found = page.reliability
    assert found is not None
    assert found.k == 10
    assert found.bins.equals(reliability(model, test, 10).bins)
    write_report(page, tmp_path, pictures=False)
    told = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["calibration_error"] == found.calibration_error
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    part = text[text.index("How far to believe") :].split("</section>")[0]
    assert part.count("<circle") == part.count("<tr>") - 1 == found.bins.height
    assert f"{found.calibration_error:.4f}" in part
    assert re.findall(r'class="n">([\d.]+)</td></tr>', part) == [f"{came:.4f}" for came in found.bins["came"]]
    parsed(text)


def test_a_bin_of_which_nothing_came_is_drawn_at_the_foot() -> None:
    model = Sure(vocabulary_of(2), np.array([[1, 0], [1, 0]], np.float32))
    log = events_of([[0, 1], [0, 1]])
    page = report_page("Wrong", model, log, evaluate(model, log))
    assert page.reliability is not None
    assert page.reliability.kept == 1.0
    assert page.reliability.bins["came"].to_list() == [1.0, 0.0]
    parsed(page.html())
