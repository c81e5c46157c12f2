"""The probes must tell a sequential log from a shuffled one, and a clean split from a leaking one."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Self

import numpy as np
import polars as pl
import pytest

from recsys_gru.errors import ClickLogError
from recsys_gru.evaluation import order_probe, refuse_leaks, tie_rate, warnings_of
from recsys_gru.evaluation.sanity import shuffled_sessions
from recsys_gru.ranking import Block
from recsys_gru.sessions import Sessions, Vocabulary, as_sessions
from recsys_gru.sessions.packed import SessionData
from tests.evaluation.ledgers import random_ledger
from tests.ranking.scorers import TableScorer, events_of


class Transitions:
    """Scores by counted transitions: learns order where there is some."""

    vocabulary_: Vocabulary

    def fit(self, train: SessionData) -> Self:
        sessions = as_sessions(train)
        size = len(sessions.vocabulary)
        counts = np.zeros((size, size), dtype=np.float32)
        first = np.ones(sessions.n_events + 1, dtype=np.bool_)
        first[1:] = np.isin(np.arange(1, sessions.n_events + 1), sessions.offsets)
        inner = np.flatnonzero(~first[1:-1])
        np.add.at(counts, (sessions.items[inner], sessions.items[inner + 1]), 1)
        self.vocabulary_, self.table = sessions.vocabulary, counts
        return self

    def blocks(self, sessions: Sessions, every: bool, rows: int = 256) -> Iterator[Block]:
        yield from TableScorer(self.vocabulary_, self.table).blocks(sessions, every, rows)


def cycles(sessions: int, seed: int, in_order: bool) -> pl.DataFrame:
    """Sessions that walk 30 items round in order, or draw them at random."""
    generator = np.random.default_rng(seed)
    starts = generator.integers(0, 30, sessions)
    walks = (starts[:, None] + np.arange(5)) % 30 if in_order else generator.integers(0, 30, (sessions, 5))
    return events_of(walks.tolist())


def test_the_probe_finds_order_where_it_was_planted() -> None:
    probe = order_probe(Transitions, cycles(600, 1, in_order=True), cycles(100, 2, in_order=True), k=1)
    assert probe.ordered == 1.0
    assert probe.shuffled < 0.6
    assert probe.verdict.startswith("sequential: ")


def test_the_probe_finds_no_order_in_random_sessions() -> None:
    probe = order_probe(Transitions, cycles(600, 1, in_order=False), cycles(100, 2, in_order=False), k=5)
    assert probe.verdict.startswith("not shown to be sequential")


def test_shuffling_keeps_the_items_of_each_session_and_depends_on_the_seed_alone() -> None:
    sessions = Sessions.from_events(cycles(50, 1, in_order=True))
    one, again, other = (shuffled_sessions(sessions, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.items, again.items)
    assert not np.array_equal(one.items, other.items)
    assert not np.array_equal(one.items, sessions.items)
    for first, last in zip(sessions.offsets, sessions.offsets[1:], strict=False):
        assert sorted(one.items[first:last]) == sorted(sessions.items[first:last])


def test_a_clean_split_passes_and_each_leak_is_refused() -> None:
    train = events_of([[1, 2], [3, 4]])
    test = train.with_columns(pl.col("time") + timedelta(days=1), pl.col("session_id") + 10)
    refuse_leaks(train, test)
    with pytest.raises(ClickLogError, match=r"1 of 5 are not .*split by time"):
        refuse_leaks(train, pl.concat([test, train.tail(1).with_columns(pl.col("session_id") + 50)]))
    with pytest.raises(ClickLogError, match=r"no session in both parts, 2 are \(first \[0, 1\]"):
        refuse_leaks(train, test.with_columns(pl.col("session_id") - 10))


def test_a_leaking_click_on_an_unknown_item_is_refused_too() -> None:
    train = Sessions.from_events(events_of([[1, 2], [3, 4]]))
    late = events_of([[1, 2]]).with_columns(pl.col("time") + timedelta(days=1), pl.col("session_id") + 10)
    early = events_of([[99]]).with_columns(pl.col("session_id") + 20)
    with pytest.raises(ClickLogError, match="1 of 3"):
        refuse_leaks(train, Sessions.from_events(pl.concat([late, early]), train.vocabulary))


def test_the_tie_rate_counts_targets_with_equals() -> None:
    ranks = pl.DataFrame({"rank": [3.0, 2.0, np.inf, 7.0], "rank_standard": [1.0, 2.0, np.inf, 7.0]})
    assert tie_rate(ranks) == 0.25


def test_a_dull_model_earns_warnings_and_a_sound_one_none() -> None:
    ranks = random_ledger(50, seed=1)
    sound = {"saturation": 0.0, "coverage": 0.6, "gini": 0.6, "intra_session_diversity": 0.5}
    untied = ranks.with_columns(rank_standard=pl.col("rank"))
    assert warnings_of(untied, sound) == []
    dull = {"saturation": 1.0, "coverage": 0.01, "gini": 0.99, "intra_session_diversity": 0.0}
    found = warnings_of(ranks.with_columns(rank_standard=pl.lit(1.0), rank=pl.col("rank") + 1), dull)
    assert len(found) == 5
    assert "100.0% of the targets" in found[0]


def test_ties_that_do_not_move_recall_are_no_reason_to_warn() -> None:
    sound = {"saturation": 0.0, "coverage": 0.6, "gini": 0.6, "intra_session_diversity": 0.5}
    far = random_ledger(50, seed=1).with_columns(rank=pl.lit(900.0), rank_standard=pl.lit(100.0))
    assert tie_rate(far) == 1.0
    assert warnings_of(far, sound) == []
