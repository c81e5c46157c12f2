"""Products of the libraries at hand: which is the fastest depends on the processor."""

import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

Product = Callable[[Tensor, Tensor], object]


def of_numpy(a: Tensor, b: Tensor) -> object:
    """a @ b as NumPy multiplies."""
    return np.matmul(a.numpy(), b.numpy())


PRODUCTS: tuple[Product, ...] = (torch.mm, of_numpy)
REST = 0.2
"""Seconds after which threads of NumPy's library no longer hold a core in wait for another product."""


def seconds(use: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    use()
    return time.perf_counter() - began


def use_threads(count: int) -> None:
    """Let torch, and with it all of ours, and NumPy's library use so many threads from now on."""
    torch.set_num_threads(count)
    threadpool_limits(count)
