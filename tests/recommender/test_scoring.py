"""Hidden states and scores of prefixes: equal to a walk of one session alone, whatever is scored beside
it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from recsys_gru.clicks import generate_clicks
from recsys_gru.contract import Question, answer
from recsys_gru.kernels.machine.bytes import HAS_BYTES
from recsys_gru.kernels.tiles import Heaps
from recsys_gru.model.network import Network
from recsys_gru.model.walk import Flow
from recsys_gru.ranking import Block, ItemFilter, rank_counts, topk
from recsys_gru.recommender import GRU4Rec, scoring
from recsys_gru.recommender.scoring import NetworkBlock, network_blocks, prefix_states
from recsys_gru.sessions import Sessions, Vocabulary


@pytest.fixture(scope="module", params=[{}, {"scale": 12.0, "look_back": 3, "repeats": 2}], ids=str)
def model(request: pytest.FixtureRequest) -> GRU4Rec:
    clicks = generate_clicks(n_sessions=300, n_items=60, seed=5)
    own: dict[str, Any] = {"layers": (13, 9), "batch_size": 16, "n_sample": 32, "n_epochs": 1}
    return GRU4Rec(**own, **request.param, device="cpu").fit(clicks)


@pytest.fixture(scope="module")
def sessions(model: GRU4Rec) -> Sessions:
    clicks = generate_clicks(n_sessions=200, n_items=60, seed=6)
    return Sessions.from_events(clicks.select("session_id", "item_id", "time"), model.vocabulary_)


def state_alone(network: Network, items: NDArray[np.int32]) -> torch.Tensor:
    states = network.zero_states(1)
    alone = Flow([1], torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
    for item in items:
        out, states, _ = network.forward(network.input_rows(torch.tensor([int(item)])), alone, states)
    last = items[::-1].astype(np.int64)[None, : network.architecture.look_back]
    missing = ((0, 0), (0, network.architecture.look_back - last.shape[1]))
    return network.read_out(out, torch.from_numpy(np.pad(last, missing, constant_values=-1)))[0]


@pytest.mark.parametrize("every", [True, False])
def test_states_equal_those_of_a_session_walked_alone(
    model: GRU4Rec, sessions: Sessions, every: bool
) -> None:
    found: dict[int, torch.Tensor] = {}
    for ends, hidden in prefix_states(model.network_, sessions, every):
        found.update(zip(ends.tolist(), hidden, strict=True))
    begins = np.repeat(sessions.offsets[:-1], sessions.lengths)
    last = set((sessions.offsets[1:] - 1)[sessions.lengths > 0].tolist())
    assert set(found) == (set(range(sessions.n_events)) - last if every else last)
    for end in list(found)[::7]:
        alone = state_alone(model.network_, sessions.items[begins[end] : end + 1])
        torch.testing.assert_close(found[end], alone)


@pytest.mark.parametrize("rows", [1, 3, 8, 64, 1000])
def test_scores_do_not_depend_on_the_rows_of_a_block(model: GRU4Rec, sessions: Sessions, rows: int) -> None:
    def scores(size: int) -> dict[int, NDArray[np.float32]]:
        found: dict[int, NDArray[np.float32]] = {}
        for block in network_blocks(model.network_, sessions, True, size):
            assert len(block.rows) <= size
            found.update(zip(block.rows.tolist(), block.tile(0, block.n_items).copy(), strict=True))
        return found

    expected = scores(256)
    for end, row in scores(rows).items():
        assert np.array_equal(row, expected[end])


def test_scores_do_not_depend_on_later_clicks(model: GRU4Rec, sessions: Sessions) -> None:
    whole = dict(score_rows(model, sessions))
    begins = np.repeat(sessions.offsets[:-1], sessions.lengths)
    for end in sorted(whole)[::9]:
        items = sessions.items[begins[end] : end + 1]
        cut = replace(
            sessions, items=items, times=sessions.times[: len(items)], offsets=np.array([0, len(items)]),
            ids=sessions.ids[:1], unknown=sessions.unknown.clear(),
        )  # fmt: skip
        ((_, alone),) = score_rows(model, cut, every=False)
        assert np.array_equal(alone, whole[end])


def score_rows(
    model: GRU4Rec, sessions: Sessions, every: bool = True
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The last event of each prefix, and its scores over all items."""
    for block in network_blocks(model.network_, sessions, every, 64):
        yield from zip(block.rows.tolist(), block.tile(0, block.n_items).copy(), strict=True)


def test_a_targets_own_score_is_that_of_its_tile_to_the_bit(model: GRU4Rec, sessions: Sessions) -> None:
    rng = np.random.default_rng(1)
    for block in network_blocks(model.network_, sessions, True, 50):
        items = rng.integers(0, block.n_items, len(block.rows)).astype(np.int32)
        whole = np.concatenate([block.tile(0, 17).copy(), block.tile(17, block.n_items).copy()], 1)
        assert np.array_equal(block.own(items), whole[np.arange(len(items)), items])


def test_sessions_without_an_event_give_no_block(model: GRU4Rec, sessions: Sessions) -> None:
    nothing = Sessions.from_events(
        generate_clicks(n_sessions=3, n_items=4, seed=1).select("session_id", "item_id", "time").clear(),
        model.vocabulary_,
    )
    assert list(network_blocks(model.network_, nothing, False, 10)) == []
    assert len(list(network_blocks(model.network_, sessions, False, 10))) > 1


@pytest.fixture(scope="module", params=["apart", "doubled rows", "all alike", "nearly alike"])
def wide(request: pytest.FixtureRequest, model: GRU4Rec) -> GRU4Rec:
    """A model of 5000 items whose rows are drawn, or come twice, or are all the same, or almost."""
    many, generator = 5000, torch.Generator().manual_seed(2)
    fitted = GRU4Rec(**model.parameters())  # type: ignore[arg-type]
    support = np.arange(many, 0, -1, dtype=np.int64)
    fitted.vocabulary_ = Vocabulary(pl.Series(np.arange(many)), support)
    fitted.network_ = Network(model.settings().architecture(many), generator=generator)
    output, bias = fitted.network_.tables["output"], fitted.network_.tables["bias"]
    bias.normal_(0, 0.1, generator=generator)
    if request.param == "doubled rows":
        output[1::2], bias[1::2] = output[::2].clone(), bias[::2].clone()
    elif request.param != "apart":
        output[:], bias[:] = output[:1].clone(), 0.0
    if request.param == "nearly alike":
        bias[::3] = 1e-7
    return fitted


@pytest.mark.parametrize("k", [1, 20, 6000])
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"exclude_seen": False},
        {"allow": range(0, 5000, 3)},
        {"deny": range(4990)},
        {"allow": [4, 5, 9], "deny": [5]},
    ],
    ids=str,
)
def test_one_session_alone_gets_the_items_and_bits_that_it_gets_among_many(
    wide: GRU4Rec, k: int, rules: dict[str, Any]
) -> None:
    generator = np.random.default_rng(3)
    clicks = pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(20), 4),
            "item_id": generator.integers(0, 5000, 80),
            "time": pl.Series(np.arange(80) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        }
    )
    among = wide.recommend(clicks, k=k, **rules)
    for session in (0, 7):
        items = clicks.filter(pl.col("session_id") == session)["item_id"].to_list()
        alone = wide.recommend_one(items, k=k, **rules)
        every = among.filter(pl.col("session_id") == session).drop("session_id")
        assert_frame_equal(alone, every, check_exact=True)


def test_one_session_alone_is_answered_without_a_full_product(
    wide: GRU4Rec, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles: list[int] = []

    def counted(block: NetworkBlock, start: int, stop: int, allowed: NDArray[np.bool_], heaps: Heaps) -> None:
        tiles.append(start)
        offer(block, start, stop, allowed, heaps)

    offer = NetworkBlock.offer
    monkeypatch.setattr(NetworkBlock, "offer", counted)
    monkeypatch.setattr(topk, "ROOM", topk.LONGEST)
    wide.recommend_one([1, 2, 3])
    alike = bool((wide.network_.tables["output"] == wide.network_.tables["output"][0]).all())
    assert (tiles != []) is alike


@pytest.mark.parametrize(
    "rules",
    [{}, {"exclude_seen": True}, {"allow": range(0, 5000, 3), "exclude_seen": True}, {"deny": range(4990)}],
    ids=str,
)
def test_ranks_of_many_clicks_are_those_of_tiles(
    wide: GRU4Rec, rules: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(3)
    clicked = generator.integers(0, 5000, 240)
    clicked[::3] = clicked[1::3]  # again and again, so that targets were seen
    clicks = pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(20), 12),
            "item_id": clicked,
            "time": pl.Series(np.arange(240) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        }
    )
    told = Sessions.from_events(clicks, wide.vocabulary_)
    bound = ItemFilter(**rules).bind(told)
    tiles: list[int] = []

    def counted(block: NetworkBlock, start: int, *others: Any) -> None:  # noqa: ANN401
        tiles.append(start)
        count(block, start, *others)

    def ranks(quick: bool) -> list[list[int]]:
        monkeypatch.setattr(scoring, "MANY", 64 if quick else 1000)
        (block,) = network_blocks(wide.network_, told, True, 1024)
        counts = rank_counts(block, told.items[block.rows + 1], bound.candidates(block.rows))
        return [one.tolist() for one in counts]

    count = NetworkBlock.count
    monkeypatch.setattr(NetworkBlock, "count", counted)
    found = ranks(quick=True)
    assert (tiles == []) is HAS_BYTES
    assert found == ranks(quick=False)
    assert tiles


def test_a_session_alone_is_answered_by_the_newest_weights_while_and_after_learning() -> None:
    log = generate_clicks(60, 20, seed=3)
    fitted = GRU4Rec(layers=(8,), batch_size=4, n_sample=16, learning_rate=0.2, n_epochs=2)
    session = log["item_id"].head(3).to_list()
    several = pl.DataFrame(
        {
            "session_id": [1, 1, 1, 2],
            "item_id": [*session, session[0]],
            "time": pl.Series([1, 2, 3, 4]).cast(pl.Datetime("us", "UTC")),
        }
    )

    def agree(_report: object = None) -> None:
        among = fitted.recommend(several).filter(pl.col("session_id") == 1).drop("session_id")
        assert_frame_equal(fitted.recommend_one(session), among, check_exact=True)

    fitted.fit(log, on_epoch=agree)
    agree()
    fitted.partial_fit(log, n_epochs=2, on_epoch=agree)
    agree()


@pytest.mark.parametrize("count", [2, 9, 17, 64, 65])
def test_a_few_sessions_get_the_bits_of_the_long_way(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = generate_clicks(n_sessions=400, n_items=900, days=3, seed=2)
    model = GRU4Rec(layers=(20,), batch_size=16, n_sample=64, n_epochs=1, device="cpu").fit(log)
    generator = np.random.default_rng(count)
    sizes = generator.integers(1, 9, count)
    asked = [generator.integers(0, len(model.vocabulary_), size).astype(np.int32) for size in sizes]
    questions = [Question(items, 20, items) for items in asked]
    quick = answer(model, questions)
    monkeypatch.setattr(topk, "FEW", 0)
    monkeypatch.setattr(Block, "ONE_BY_ONE", 0)
    for one, other in zip(quick, answer(model, questions), strict=True):
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)
