"""A log that knows the day only: no order is certified, and figures come with the share of ties."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.evaluation import order_probe, report_page
from recsys_gru.evaluation.views import tied_share
from recsys_gru.sessions import TIED_LIMIT, Sessions

TOLD = "have the same time"
SHELF = [17 * place % 50 for place in range(50)]


def sorted_log(sessions: int, seed: int, seconds: int, first: int = 0) -> pl.DataFrame:
    """Random items of 50 sorted by a shelf of theirs: whoever believes the rows finds an order."""
    generator = np.random.default_rng(seed)
    rows = [
        (first + number, int(item), (first + number) * 1000 + seconds * place)
        for number in range(sessions)
        for place, item in enumerate(sorted(generator.choice(50, 6, replace=False), key=SHELF.index))
    ]
    log = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    return log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))


@pytest.fixture(scope="module")
def parts() -> tuple[pl.DataFrame, pl.DataFrame]:
    return sorted_log(400, 1, 0), sorted_log(100, 2, 0, first=10_000)


def test_the_probe_certifies_no_order_that_equal_times_made(parts: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    probe = order_probe(rg.Markov, *parts, k=5)
    assert probe.ordered > 1.3 * probe.shuffled  # what would have been called sequential
    assert probe.tied_share == 1.0
    assert probe.verdict.startswith("not to be told: 100% of neighbouring clicks have the same time")
    assert TOLD in probe.warning


@pytest.mark.parametrize("coarse", ["train", "test"])
def test_equal_times_in_one_part_suffice(coarse: str) -> None:
    train = sorted_log(400, 1, 0 if coarse == "train" else 10)
    test = sorted_log(100, 2, 0 if coarse == "test" else 10, first=10_000)
    assert order_probe(rg.Markov, train, test, k=5).verdict.startswith("not to be told")


def test_with_times_that_differ_the_probe_judges_as_ever() -> None:
    probe = order_probe(rg.Markov, sorted_log(400, 1, 10), sorted_log(100, 2, 10, first=10_000), k=5)
    assert (probe.tied_share, probe.warning) == (0.0, "")
    assert probe.verdict.startswith("sequential: ")


def test_random_sessions_of_one_day_each_come_out_at_chance() -> None:
    generator = np.random.default_rng(0)
    rows = [
        (session, int(item), 1767225600 + session * 14 // 4000 * 86400)
        for session in range(4000)
        for item in generator.choice(50, 8, replace=False)
    ]
    log = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    clicks = rg.check_clicks(rg.read_clicks(log)).clicks
    train, test = rg.split_by_time(clicks, test=timedelta(days=1))
    report = rg.evaluate(rg.Markov().fit(train), test)
    assert report.recall[5] < 0.13  # chance is 5 of 50
    assert any(TOLD in warning for warning in report.warnings)


def test_report_page_and_comparison_show_the_share_and_warn(parts: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    train, test = parts
    models = [kind().fit(train) for kind in (rg.Popularity, rg.Markov)]
    one, other = (rg.evaluate(model, test) for model in models)
    assert other.shares()["tied_share"] == 1.0
    assert "100.0% of neighbouring clicks at one time" in repr(other)
    page = report_page("Markov", models[1], test, other).html()
    assert "100.0% of neighbouring clicks have the same time." in page
    assert page.count(TOLD) == 2  # the share, and the warning on top
    found = rg.compare(one.ranks, other.ranks)
    assert found.tied_share == 1.0
    assert repr(found).splitlines()[-1].startswith("warning: 100% of the neighbouring clicks")


@pytest.mark.parametrize("share", [0.0, TIED_LIMIT - 0.1, TIED_LIMIT + 0.1])
def test_the_share_in_a_report_is_that_of_the_sessions(share: float) -> None:
    log = sorted_log(100, 3, 10).sort("session_id", "time")
    first = pl.col("time").first().over("session_id")
    some = pl.Series(np.random.default_rng(1).random(log.height) < share)
    log = log.with_columns(pl.when(some).then(first).otherwise("time").alias("time"))
    report = rg.evaluate(rg.Markov().fit(log), log)
    expected = Sessions.from_events(log).tied_share
    assert report.shares()["tied_share"] == pytest.approx(expected)
    assert any(TOLD in warning for warning in report.warnings) == (expected > TIED_LIMIT)


def test_a_ledger_of_an_earlier_version_tells_no_share() -> None:
    log = sorted_log(20, 3, 10)
    old = rg.evaluate(rg.Markov().fit(log), log).ranks.drop("tied")
    assert tied_share(old) is None
    assert rg.compare(old, old).tied_share is None
