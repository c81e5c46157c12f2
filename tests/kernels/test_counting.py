"""Counts from products of whole numbers: those of the tiles, to the last tie, whatever rows and masks."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.kernels.arrays import Floats, Masks
from recsys_gru.kernels.counting import NORM, PIECE, counts_beside, unsure, whole_steps
from recsys_gru.kernels.machine.bytes import HAS_BYTES, LANES
from recsys_gru.kernels.products import with_one
from recsys_gru.kernels.scores import count_shared, own_scores

pytestmark = pytest.mark.kernels
BYTES = pytest.mark.skipif(not HAS_BYTES, reason="NO VNNI: this processor has no products of whole numbers")
ALL = np.empty(0, np.bool_)


@dataclass(frozen=True)
class Case:
    """A table (N, H), biases (N,), hidden states (Q, H) and the bounds (Q,) that they are counted by."""

    table: Floats
    bias: Floats
    hidden: Floats
    own: Floats

    def by_tiles(self, keep: Masks) -> list[list[int]]:
        """The counts above and equal from float32 products."""
        rows = len(self.hidden)
        allowed = np.repeat(keep[None], rows, axis=0) if keep.size else np.empty((0, 1), np.bool_)
        counts, nowhere = np.zeros((3, rows), np.int64), np.full(rows, -1)
        tile = self.table, self.bias
        count_shared(with_one(self.hidden), tile, allowed, 0, (self.own, nowhere), counts, 1)
        found: list[list[int]] = counts[:2].tolist()
        return found

    def at_once(self, keep: Masks, threads: int = 1) -> list[list[int]] | None:
        """The same from whole numbers."""
        found = counts_beside(self.table, self.bias, keep, self.hidden, self.own, threads)
        return None if found is None else found.tolist()


def made_up(rows: int, items: int, units: int, kind: str, seed: int) -> Case:
    """Rows of all kinds; each bound is the score of an item, so that some are equal to it."""
    generator = np.random.default_rng(seed)
    hidden, table = (generator.standard_normal((n, units)).astype(np.float32) for n in (rows, items))
    bias = generator.standard_normal(items).astype(np.float32)
    if kind == "whole":
        hidden, table, bias = np.rint(hidden), np.rint(table), np.rint(bias)
    elif kind == "few":  # many rows the same
        chosen = generator.integers(0, min(3, items), items)
        table, bias = table[chosen], bias[chosen]
    elif kind == "norms":  # of all sizes, zero among them
        table *= np.float32(10) ** generator.integers(-9, 5, (items, 1))
        hidden *= np.float32(10) ** generator.integers(-9, 5, (rows, 1))
        table[generator.random(items) < 0.2], bias[generator.random(items) < 0.5] = 0, 0
        hidden[generator.random(rows) < 0.2] = 0
    elif kind == "nearly":  # told apart by the last bits alone
        table[:] = table[:1]
        bias[:] = generator.integers(0, 3, items) * np.float32(1e-7)
    elif kind == "tiny":
        hidden, table, bias = hidden * np.float32(1e-22), table * np.float32(1e-18), bias * np.float32(1e-39)
    targets = generator.integers(0, items, rows).astype(np.int32)
    return Case(table, bias, hidden, own_scores(table, bias, hidden, np.arange(rows), targets))


@BYTES
@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 40),
    items=st.sampled_from([1, 7, 8, 61, PIECE, PIECE + 3]),
    units=st.integers(1, 20),
    kind=st.sampled_from(["drawn", "whole", "few", "norms", "nearly", "tiny"]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 2),
)
def test_counts_are_those_of_tiles(
    rows: int, items: int, units: int, kind: str, share: float, seed: int, threads: int
) -> None:
    if items > PIECE - 1 and not_compiled():
        items //= 20
    case = made_up(rows, items, units, kind, seed)
    keep = ALL if share == 1 else np.random.default_rng(seed).random(items) < share
    assert case.at_once(keep, threads) == case.by_tiles(keep)


def not_compiled() -> bool:
    """Whether kernels run as plain Python."""
    return not hasattr(whole_steps, "py_func")


@BYTES
@pytest.mark.parametrize("where", ["table", "bias", "hidden"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e10])
def test_what_is_no_number_or_too_large_is_left_to_tiles(where: str, value: float) -> None:
    case = made_up(5, 40, 6, "drawn", seed=1)
    getattr(case, where)[3] = value
    with np.errstate(over="ignore"):
        assert case.at_once(ALL) is None


@pytest.mark.parametrize("units", [1, 7, 100, 260])
@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 1e6])
def test_whole_steps_are_within_their_errors(units: int, scale: float) -> None:
    case = made_up(9, 20, units, "drawn", seed=units)
    table = case.table * np.float32(scale)
    table[4], table[5, 1:] = 0, 0  # nothing, and all in one number
    words, (steps, norms, left) = whole_steps(table)
    assert len(words) == 2 * LANES
    assert words.shape[1] % 2 == 0
    assert not words[len(table) :].any()
    assert np.abs(words.astype(np.int64)).max() <= NORM + 1
    true = np.linalg.norm(table.astype(np.float64), axis=1)
    np.testing.assert_allclose(norms[:20], np.maximum(true, 1e-15), rtol=1e-4)
    stands = words[:20, :units] * steps[:20, None].astype(np.float64)
    distances = np.linalg.norm(table - stands, axis=1)
    assert (distances <= left[:20]).all()
    assert (left[:20] <= 0.6 * units**0.5 * steps[:20]).all()
    single = np.add.accumulate(case.hidden[:, None] * table, axis=2, dtype=np.float32)[:, :, -1] + case.bias
    double = case.hidden.astype(np.float64) @ table.T.astype(np.float64) + case.bias
    sizes = np.linalg.norm(case.hidden, axis=1)[:, None] * norms[:20] + np.abs(case.bias)
    assert (np.abs(single - double) <= unsure(units) * sizes).all()
