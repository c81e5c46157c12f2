"""Hidden states and scores of prefixes: equal to a walk of one session alone, whatever is scored beside
it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recsys_gru.clicks import Sessions, generate_clicks
from recsys_gru.model.network import Flow, Network
from recsys_gru.recommender import GRU4Rec
from recsys_gru.recommender.scoring import network_blocks, prefix_states


@pytest.fixture(scope="module")
def model() -> GRU4Rec:
    clicks = generate_clicks(n_sessions=300, n_items=60, seed=5)
    return GRU4Rec(layers=(13, 9), batch_size=16, n_sample=32, n_epochs=1, device="cpu").fit(clicks)


@pytest.fixture(scope="module")
def sessions(model: GRU4Rec) -> Sessions:
    clicks = generate_clicks(n_sessions=200, n_items=60, seed=6)
    return Sessions.from_events(clicks.select("session_id", "item_id", "time"), model.vocabulary_)


def state_alone(network: Network, items: NDArray[np.int32]) -> torch.Tensor:
    states = network.zero_states(1)
    alone = Flow([1], torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
    for item in items:
        out, states, _ = network.forward(network.input_rows(torch.tensor([int(item)])), alone, states)
    return out[0]


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
