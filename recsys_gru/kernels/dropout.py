"""Dropout masks as hashes of places."""

import numpy as np

from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.machine.jit import kernel


@kernel
def _mixed(x: np.uint32) -> np.uint32:
    """Return x with its bits mixed, one number for each number. Source: Wellons 2018, hash prospector,
    lowbias32."""
    x = np.uint32((x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D))
    x = np.uint32((x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))


@kernel
def dropout_mask(key: int, dropped: float, mask: Floats) -> None:
    """Fill mask (n,) with 0, with probability `dropped`, or 1 / (1 - dropped): place i is dropped where
    mixed(mixed(i ^ low) ^ high) < dropped * 2^32, of the low and high half of a key of 64 bits.

    A generator's draws come one after the other; hashes of places come a vector register at a time.

    Twin: Python's integers, tests/kernels/test_dropout.py::test_a_mask_is_the_hashes_of_its_places.
    """
    low, high = np.uint32(key & 0xFFFFFFFF), np.uint32((key >> 32) & 0xFFFFFFFF)
    limit, kept = np.uint32(dropped * 2.0**32), np.float32(1 / (1 - dropped))
    for i in range(len(mask)):
        drawn = _mixed(np.uint32(_mixed(np.uint32(np.uint32(i) ^ low)) ^ high))
        mask[i] = kept if drawn >= limit else np.float32(0)
