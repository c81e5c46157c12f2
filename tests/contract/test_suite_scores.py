"""Every recommender: the scores it gives to ranking and evaluation."""

from collections.abc import Callable

import numpy as np
import polars as pl

from recsys_gru.contract import Recommender
from recsys_gru.evaluation import evaluate
from recsys_gru.sessions import Sessions

Factory = Callable[[], Recommender]


def test_blocks_do_not_depend_on_their_size(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    for every in (True, False):
        tall = list(model.blocks(sessions, every, rows=1000))
        flat = list(model.blocks(sessions, every, rows=3))
        assert all(len(block.rows) <= 3 for block in flat)
        rows = np.concatenate([block.rows for block in flat])
        scores = np.concatenate([block.tile(0, 12).copy() for block in flat])
        whole = np.concatenate([block.tile(0, 12).copy() for block in tall])
        order = np.argsort(np.concatenate([block.rows for block in tall]))
        np.testing.assert_array_equal(scores[np.argsort(rows)], whole[order])


def test_the_own_score_is_a_column_of_the_tile(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    for block in model.blocks(sessions, every=True, rows=16):
        wanted = (np.arange(len(block.rows)) % 12).astype(np.int32)
        own = block.own(wanted).copy()
        np.testing.assert_array_equal(own, block.tile(0, 12)[np.arange(len(wanted)), wanted])
        some = np.repeat(np.arange(len(wanted))[::2], 3)
        items = (np.arange(len(some)) % 12).astype(np.int32)
        np.testing.assert_array_equal(block.own(items, some).copy(), block.tile(0, 12)[some, items])
        np.testing.assert_array_equal(block.tile(5, 9).copy(), block.tile(0, 12)[:, 5:9])


def test_every_prefix_that_has_a_next_item_is_scored_once(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    rows = np.concatenate([block.rows for block in model.blocks(sessions, every=True)])
    lasts = sessions.offsets[1:] - 1
    assert sorted(rows) == sorted(set(range(sessions.n_events)) - set(lasts.tolist()))


def test_replay_gives_the_scores_of_the_prefix_alone(model: Recommender, live: pl.DataFrame) -> None:
    sessions = Sessions.from_events(live, model.vocabulary_)
    block = next(iter(model.blocks(sessions, every=True)))
    for q in range(0, len(block.rows), 7):
        row = block.rows[q]
        first = sessions.offsets[np.searchsorted(sessions.offsets, row, side="right") - 1]
        prefix = model.vocabulary_.take(sessions.items[first : row + 1]).to_list()
        one = model.recommend_one(prefix, k=12, exclude_seen=False)
        numbers = model.vocabulary_.numbers(one["item_id"])
        np.testing.assert_allclose(block.tile(0, 12)[q][numbers], one["score"], rtol=2e-5, atol=1e-6)


def test_evaluation_works_and_beats_nothing_by_accident(model: Recommender, live: pl.DataFrame) -> None:
    report = evaluate(model, live, cutoffs=(1, 12))
    assert report.recall[12] == 1.0
    assert 0 <= report.mrr[1] == report.recall[1] <= 1
    assert report.events == live.height - 20
