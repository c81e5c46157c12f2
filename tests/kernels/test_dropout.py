"""Dropout masks as a compiled loop, against the same hashes in Python's integers of any length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.kernels.dropout import dropout_mask

pytestmark = pytest.mark.kernels


def lowbias32(x: int) -> int:
    """Source: Wellons 2018, hash prospector."""
    x = (x ^ (x >> 16)) * 0x7FEB352D % 2**32
    x = (x ^ (x >> 15)) * 0x846CA68B % 2**32
    return x ^ (x >> 16)


@given(key=st.integers(0, 2**63 - 1), dropped=st.sampled_from([0.1, 0.25, 0.5, 0.9]), n=st.integers(0, 70))
def test_a_mask_is_the_hashes_of_its_places(key: int, dropped: float, n: int) -> None:
    low, high = key % 2**32, key >> 32
    hashes = [lowbias32(lowbias32(place ^ low) ^ high) for place in range(n)]
    mask = np.empty(n, np.float32)
    with np.errstate(over="ignore"):  # as plain Python, the loop says that its products wrap round
        dropout_mask(key, dropped, mask)
    kept = np.float32(1 / (1 - dropped))
    assert mask.tolist() == [0 if drawn < int(dropped * 2**32) else kept for drawn in hashes]


@pytest.mark.parametrize("dropped", [0.1, 0.5])
def test_the_share_of_a_mask_that_is_dropped_is_the_probability(dropped: float) -> None:
    mask = np.empty(20_000, np.float32)
    with np.errstate(over="ignore"):
        dropout_mask(1234567890123456789, dropped, mask)
    assert np.mean(mask == 0) == pytest.approx(dropped, abs=0.015)
    assert mask.mean() == pytest.approx(1, abs=0.03)
