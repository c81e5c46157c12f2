"""What one answer of a blend costs at most, counted on logs that are made to cost more; and that an answer by
the networks' copies is the exact one."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.baselines.learned import LONGEST as VOTES
from recsys_gru.blend import Blend
from recsys_gru.blend.mixture import Mixture
from recsys_gru.blend.windows import HALF, LONGEST, windows
from recsys_gru.contract import Recommender, prefix_ends
from recsys_gru.contract.answers import one_session, sessions_of
from recsys_gru.errors import NonFiniteScoresError
from recsys_gru.ranking import PREFIXES, Block, Candidates, rank_counts, top_k
from recsys_gru.sessions import Sessions
from tests.oracles import slow_counts

GRU = {"layers": (8,), "batch_size": 8, "n_sample": 16, "n_epochs": 1, "device": "cpu", "seed": 1}
WIDTH = 1500


def log_of(sessions: list[list[int]]) -> pl.DataFrame:
    """Sessions of a click a second, one after the other."""
    owner = np.repeat(np.arange(len(sessions)), [len(items) for items in sessions])
    return pl.DataFrame(
        {
            "session_id": owner,
            "item_id": np.concatenate(sessions),
            "time": pl.from_epoch(pl.Series(np.arange(len(owner)) + 1_700_000_000)).dt.replace_time_zone(
                "UTC"
            ),
        }
    )


def watched(model: Recommender, lengths: list[int]) -> Callable[..., Iterator[Block]]:
    """A recommender's blocks, and the most clicks of a session that they are asked for."""
    blocks = model.blocks

    def asked(sessions: Sessions, every: bool, rows: int = PREFIXES) -> Iterator[Block]:
        lengths.append(int(sessions.lengths.max()))
        return blocks(sessions, every, rows)

    return asked


@pytest.fixture(scope="module")
def blend() -> Blend:
    """Of a hub that is in every session, sessions of all items, and one that goes on for ever."""
    rng = np.random.default_rng(3)
    few = [[0, *rng.integers(1, WIDTH, 3).tolist()] for _ in range(600)]
    every = [rng.permutation(WIDTH).tolist() for _ in range(2)]
    members = [
        rg.GRU4Rec(**GRU, scale=8.0, look_back=3, repeats=2),  # type: ignore[arg-type]
        rg.GRU4Rec(**GRU),  # type: ignore[arg-type]
        rg.VMISKNN(neighbors=20, sample_size=50),
        rg.ItemKNN(),
        rg.SequentialRules(),
        rg.Repeats(),
        rg.Popularity(),
    ]
    models = [member.fit(log_of([*few, *every, *few[:50]])) for member in members]
    return Blend.of(models, log_of(few[:40]))


def test_neighbours_cost_no_more_than_sample_and_votes(blend: Blend) -> None:
    index = blend.members_[2].index_  # type: ignore[attr-defined]
    assert np.diff(index.posting_offsets).max() == 50  # the hub's sessions are 652
    assert np.diff(index.offsets).max() == VOTES < WIDTH
    giant = int(np.diff(index.offsets).argmax())
    assert index.places[index.offsets[giant] : index.offsets[giant + 1]].min() == WIDTH - VOTES
    follows = blend.members_[4].follows_  # type: ignore[attr-defined]
    assert np.diff(follows.offsets).max() <= len(blend.vocabulary_)


def test_only_so_much_of_a_session_is_looked_at(blend: Blend, monkeypatch: pytest.MonkeyPatch) -> None:
    items = np.random.default_rng(4).integers(0, WIDTH, 5000).astype(np.int32)
    lengths: list[int] = []
    for member in blend.members_:
        monkeypatch.setattr(member, "blocks", watched(member, lengths))
    ids = blend.vocabulary_.take(items).to_list()
    long = blend.recommend_one(ids, k=9, exclude_seen=False)
    begin = HALF * (4999 // HALF - 1)
    assert lengths == [5000 - begin] * len(blend.members_)
    assert HALF < lengths[0] <= LONGEST
    assert long.equals(blend.recommend_one(ids[begin:], k=9, exclude_seen=False))


def test_prefixes_are_cut_alike_alone_and_together(blend: Blend) -> None:
    rng = np.random.default_rng(5)
    parts = [rng.integers(0, WIDTH, size).astype(np.int32) for size in (3, LONGEST + 300, LONGEST, 1)]
    sessions = sessions_of(parts, blend.vocabulary_)
    ends = prefix_ends(sessions, every=True)
    cut, places = windows(sessions, ends)
    assert cut.n_events <= 2 * sessions.n_events
    assert (cut.items[places] == sessions.items[ends]).all()
    assert (cut.items[places + 1] == sessions.items[ends + 1]).all()
    found: dict[int, np.ndarray] = {}
    for block in blend.blocks(sessions, every=True):
        found |= dict(zip(block.rows.tolist(), block.tile(0, WIDTH).copy(), strict=True))
    assert list(found) == ends.tolist()
    for back in (1, HALF - 1, LONGEST - 1, LONGEST, LONGEST + 299):
        alone = one_session(parts[1][: back + 1], blend.vocabulary_)
        (block,) = blend.blocks(alone, every=False)
        if back < LONGEST + 299:  # the last one has no next click
            assert (block.tile(0, WIDTH)[0] == found[3 + back]).all()


@pytest.mark.parametrize("count", [1, 5, 9])
def test_the_best_by_copies_are_the_best(blend: Blend, count: int) -> None:
    rng = np.random.default_rng(count)
    sessions = sessions_of(
        [rng.integers(0, WIDTH, size).astype(np.int32) for size in rng.integers(1, 9, count)],
        blend.vocabulary_,
    )
    (block,) = blend.blocks(sessions, every=False)
    assert isinstance(block, Mixture)
    whole = block.tile(0, WIDTH)
    for row in range(count):
        one = block.rough(row)
        assert one is not None
        assert one.by_factor
        apart = np.log(whole[row].astype(np.float64)) - np.log(one.scores)
        assert (np.abs(apart) <= one.error).all()
    seen = np.arange(0, WIDTH, 3).astype(np.int32)
    barred = Candidates(
        np.arange(WIDTH) % 2 > 0, None, np.zeros(count, int), seen, np.zeros(len(seen), np.int64)
    )
    for candidates in (None, barred):
        items, scores = top_k(block, 20, candidates)
        may = np.ones_like(whole, np.bool_) if candidates is None else candidates.tile(0, WIDTH)
        for row in range(count):
            order = np.lexsort((np.arange(WIDTH), -np.where(may[row], whole[row], -1)))[:20]
            assert items[row].tolist() == order.tolist()
            assert (scores[row] == whole[row, order]).all()


@pytest.mark.parametrize("perhaps", [1.0, 0.0])  # one by one, or all by a matrix product
def test_ranks_by_copies_are_the_ranks(blend: Blend, monkeypatch: pytest.MonkeyPatch, perhaps: float) -> None:
    rng = np.random.default_rng(7)
    parts = [rng.integers(0, WIDTH, size).astype(np.int32) for size in rng.integers(2, 9, 12)]
    sessions = sessions_of(parts, blend.vocabulary_)
    (block,) = blend.blocks(sessions, every=True)
    monkeypatch.setattr(Mixture, "PERHAPS", perhaps)
    (again,) = blend.blocks(sessions, every=True)
    table, targets, count = again.tile(0, WIDTH), sessions.items[block.rows + 1], len(block.rows)
    seen = np.sort(rng.choice(WIDTH, 400, replace=False)).astype(np.int32)
    barred = Candidates(
        rng.random(WIDTH) < 0.7, None, np.zeros(count, int), seen, rng.integers(0, count, 400)
    )
    for candidates in (None, barred):
        counts = rank_counts(block, targets, candidates)
        assert ("_scores" in vars(block)) == (perhaps == 0)
        may = np.ones_like(table, np.bool_) if candidates is None else candidates.tile(0, WIDTH)
        expected = slow_counts(table.tolist(), targets.tolist(), may.tolist())
        assert list(zip(*(one.tolist() for one in counts), strict=True)) == expected


def test_damaged_weights_are_refused(blend: Blend) -> None:
    network = blend.members_[1].network_  # type: ignore[attr-defined]
    kept = network.tables["bias"].clone()
    try:
        with network.copies.changing():
            network.tables["bias"][3] = float("nan")
        with pytest.raises(NonFiniteScoresError):
            blend.recommend_one([1, 2], k=3)
    finally:
        with network.copies.changing():
            network.tables["bias"].copy_(kept)
