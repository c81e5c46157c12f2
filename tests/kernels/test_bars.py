"""What may be given to whom, one item at a time and as a mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.kernels.bars import NO_BARS, may_be_given, which_may_be_given
from recsys_gru.ranking import Candidates

pytestmark = pytest.mark.kernels


@settings(max_examples=60)
@given(
    rows=st.integers(1, 5),
    items=st.integers(1, 12),
    barred=st.integers(0, 20),
    limited=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_may_be_given_is_what_the_masks_say(
    rows: int, items: int, barred: int, limited: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    seen = np.sort(generator.integers(0, items, barred)).astype(np.int32)
    candidates = Candidates(
        generator.random(items) < 0.7,
        generator.integers(0, 6, (2, items)) if limited else None,
        generator.integers(0, 6, rows),
        seen,
        generator.integers(0, rows, barred),
    )
    bars = candidates.bars()
    told = [[may_be_given(bars, item, row) for item in range(items)] for row in range(rows)]
    assert told == candidates.tile(0, items).tolist()
    numbers, owners = np.tile(np.arange(items, dtype=np.int32), rows), np.repeat(np.arange(rows), items)
    assert which_may_be_given(bars, numbers, owners).tolist() == np.ravel(told).tolist()
    assert may_be_given(NO_BARS, items, rows)
