"""Short lists of several states from products of bytes: within their errors, none of the best left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.kernels.arrays import Floats, Masks
from recsys_gru.kernels.bars import NO_BARS
from recsys_gru.kernels.coarse import Coarse, coarse_of
from recsys_gru.kernels.finding import Lanes, byte_scores, found_alone, found_beside, row_scores
from recsys_gru.kernels.machine.bytes import HAS_BYTES, LANES, TALL
from recsys_gru.kernels.shortlists import ByteStates, byte_states, short_lists
from recsys_gru.kernels.tiles import floor_of
from tests.oracles import slow_top_k

pytestmark = pytest.mark.kernels
BYTES = pytest.mark.skipif(not HAS_BYTES, reason="NO VNNI: this processor has no products of bytes")


def made_up(rows: int, items: int, units: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Hidden states (Q, H), a table (N, H) and biases (N,)."""
    generator = np.random.default_rng(seed)
    hidden, table, bias = (
        generator.standard_normal(shape, np.float32) for shape in ((rows, units), (items, units), items)
    )
    return np.tanh(hidden), table, bias


def coarse_scores_of(coarse: Coarse, bias: Floats, lanes: Lanes) -> tuple[Floats, Masks]:
    """Of LANES states the scores (LANES, N), and which are above the limits (LANES, N), piece by piece."""
    count, factors = len(bias), (coarse.offsets, coarse.scales, bias)
    scores, above = np.empty((LANES, count), np.float32), np.empty((LANES, count), np.bool_)
    for at in range(0, count, TALL):
        out, bits = np.empty((TALL, LANES), np.float32), np.empty(TALL, np.int32)
        together = byte_scores(coarse.rows, factors, at, lanes, out, bits)
        assert together == np.bitwise_or.reduce(bits)
        left = min(TALL, count - at)
        assert not bits[left:].any()
        scores[:, at : at + left] = out[:left].T
        above[:, at : at + left] = (bits[:left, None] >> np.arange(LANES) & 1).T
    return scores, above


def scores_alone(coarse: Coarse, bias: Floats, states: ByteStates, row: int) -> Floats:
    """Of one state by itself the scores (N,)."""
    count, factors = len(bias), (coarse.offsets, coarse.scales, bias)
    scores = np.empty(count, np.float32)
    for at in range(0, count, LANES):
        out, left = np.empty(LANES, np.float32), min(LANES, count - at)
        alone = states.flat[row], states.steps[row], np.float32(bias[0])
        bits = row_scores(coarse.rows, factors, at, alone, out)
        assert [bits >> place & 1 for place in range(LANES)] == (out > bias[0]).tolist()
        assert (out[left:] == -np.inf).all()
        scores[at : at + left] = out[:left]
    return scores


@BYTES
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("units", [1, 7, 100, 260])
@pytest.mark.parametrize("items", [3, 8, 77])
def test_coarse_scores_are_within_their_errors(scale: float, units: int, items: int) -> None:
    hidden, table, bias = made_up(5, items, units, seed=units)
    hidden[2], table[1], table[2] = 0, 0, 100 * table[2]
    table, bias = (
        (np.float32(scale) * table).astype(np.float32),
        (np.float32(scale) * bias).astype(np.float32),
    )
    coarse = coarse_of(table, bias)
    assert coarse is not None
    states = byte_states(coarse, hidden)
    limits = np.arange(-8, 8, dtype=np.float32) * np.float32(scale)
    out, above = coarse_scores_of(coarse, bias, (states.columns[0], states.steps, limits))
    assert (above == (out > limits[:, None])).all()
    for row in range(5):
        assert np.array_equal(scores_alone(coarse, bias, states, row), out[row])
    twin = hidden.astype(np.float64) @ table.T.astype(np.float64) + bias
    assert (np.abs(out[:5] - twin) <= states.errors[:, None]).all()
    single = np.add.accumulate(hidden[:, None] * table, axis=2, dtype=np.float32)[:, :, -1] + bias
    assert (np.abs(out[:5].astype(np.float64) - single) <= states.errors[:, None]).all()
    norms = (
        np.linalg.norm(hidden.astype(np.float64), axis=1)
        * np.linalg.norm(table.astype(np.float64), axis=1).max()
    )
    assert (states.errors <= 0.02 * (units**0.5) * norms + 1e-3 * scale).all()


@BYTES
@pytest.mark.parametrize("span", [(0, 77, 0), (16, 61, 0), (64, 77, 0), (0, 0, 0)])
def test_what_is_found_is_what_is_above_the_limits(span: tuple[int, int, int]) -> None:
    hidden, table, bias = made_up(LANES, 77, 12, seed=4)
    coarse = coarse_of(table, bias)
    assert coarse is not None
    states, factors = byte_states(coarse, hidden), (coarse.offsets, coarse.scales, bias)
    limits = np.linspace(-4, 9, LANES, dtype=np.float32)
    lanes = states.columns[0], states.steps, limits
    scores, above = coarse_scores_of(coarse, bias, lanes)
    first, last, _ = span
    pairs, found = np.empty((77 * LANES, 2), np.int64), np.empty(77 * LANES, np.float32)
    count = found_beside(coarse.rows, factors, span, lanes, (pairs, found))
    items, owners = np.nonzero(above[:, first:last].T)
    assert sorted(pairs[:count].tolist()) == [[first + i, row] for i, row in zip(items, owners, strict=True)]
    assert np.array_equal(found[:count], scores[pairs[:count, 1], pairs[:count, 0]])
    for row in (0, 7, 15):
        one = states.flat[row], states.steps[row], limits[row]
        count = found_alone(coarse.rows, factors, (first, last, row), one, (pairs, found))
        assert pairs[:count, 0].tolist() == (first + np.flatnonzero(above[row, first:last])).tolist()
        assert np.array_equal(found[:count], scores[row, pairs[:count, 0]])


@BYTES
@settings(max_examples=60)
@given(
    rows=st.integers(1, 40),
    items=st.integers(1, 700),
    units=st.integers(1, 20),
    k=st.integers(1, 30),
    share=st.sampled_from([0.02, 0.3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_lists_hold_the_best_of_the_exact_scores(
    rows: int, items: int, units: int, k: int, share: float, seed: int
) -> None:
    hidden, table, bias = made_up(rows, items, units, seed)
    coarse = coarse_of(table, bias)
    assert coarse is not None
    scores = (hidden.astype(np.float64) @ table.T.astype(np.float64) + bias).astype(np.float32)
    allowed = np.random.default_rng(seed).random(scores.shape) < share
    barred, owner = np.nonzero(~allowed.T)
    bars = NO_BARS if share == 1 else NO_BARS._replace(items=barred.astype(np.int32), rows=owner)
    found = short_lists(coarse, bias, hidden, k, bars, 1024 + 4 * k)
    assert found is not None
    listed, owners = found
    assert (np.diff(owners) >= 0).all()
    for row in range(rows):
        mask = [True] * items if share == 1 else allowed[row].tolist()
        mine = listed[owners == row].tolist()
        assert len(mine) == len(set(mine))
        assert all(mask[item] for item in mine)
        assert {item for item in slow_top_k(scores[row].tolist(), k, mask) if item >= 0} <= set(mine)


@BYTES
def test_scores_too_near_to_each_other_or_no_numbers_are_left_to_others() -> None:
    table, hidden = np.ones((3000, 8), np.float32), np.ones((2, 8), np.float32)
    bias = np.zeros(3000, np.float32)
    coarse = coarse_of(table, bias)
    assert coarse is not None
    assert short_lists(coarse, bias, hidden, 5, NO_BARS, 100) is None
    for bad in (np.nan, np.inf):
        hidden[1, 3] = bad
        with np.errstate(invalid="ignore"):
            assert short_lists(coarse, bias, hidden, 5, NO_BARS, 4000) is None


@pytest.mark.parametrize("worst", [-np.inf, -3e38, -2.5, 0.0, 7.0])
@pytest.mark.parametrize("error", [0.0, 1e-3, 4.0, 1e30])
def test_the_floor_is_two_errors_below(worst: float, error: float) -> None:
    floor = float(floor_of(np.float32(worst), error))
    assert floor < worst - 2 * error or floor == -np.inf
    if worst - 2 * error > -1e30:
        assert floor == pytest.approx(worst - 2 * error, rel=1e-5, abs=1e-30)
