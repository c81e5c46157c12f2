"""The items a window of steps scores: the lanes' targets and the shared samples, each distinct item once, and
how often it counts in each step.

A step's candidates are its own targets and the samples, which the window's steps share. The targets of the
other steps are no negatives of it: they are what the same sessions go on with.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.model.kernels import distinct
from recsys_gru.model.losses import Columns

Ints = NDArray[np.int64]


class Rows(NamedTuple):
    """The item rows that a window reads and changes: the U candidates first, then items that are only
    input."""

    rows: Tensor
    """(V,) int64: item numbers."""
    n_candidates: int
    """U."""
    inputs: Tensor
    """(P,) int64: the item number of each input."""
    input_at: Tensor
    """(P,) int64: the row of each input, where the input is looked up in the same table; else empty."""
    steps: list[Columns]
    """What each step's loss is told of the candidates."""


class Candidates(ABC):
    """Collects the distinct rows of some windows, with what the loss must know of them."""

    @abstractmethod
    def collect(self, inputs: Ints, targets: Ints, samples: Ints, windows: list[list[int]]) -> Iterator[Rows]:
        """Yield the rows of each window, given inputs and targets, both (P,), step after step, samples
        (windows, S), all item numbers, int64, and the number of targets of each step of each window."""


@final
class SampledCandidates(Candidates):
    """Targets and samples, with counts and logQ corrections.

    logQ subtracts logq * log q_j from a score, q_j = support_j where j is a target and support_j ** alpha
    where it is a sample. Equal items merge into one column whose weight is the sum of exp(-logQ) over their
    places.
    """

    def __init__(
        self,
        support: NDArray[np.int64],
        *,
        tied: bool = True,
        logq: float = 0.0,
        alpha: float = 0.5,
        smoothing: bool = False,
        exclude_hits: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        """Prepare for items with so many training events (N,); `tied`: inputs are looked up among the same
        rows."""
        self._log_q = logq * np.log(np.maximum(support, 1).astype(np.float64))  # (N,)
        self._alpha = alpha
        self._weights = torch.from_numpy(np.exp([-self._log_q, -alpha * self._log_q])).to(dtype)  # (2, N)
        self._tied = tied
        self._smoothing = smoothing
        self._exclude_hits = exclude_hits
        self._dtype = dtype
        self._device = device or torch.device("cpu")
        self._slots = np.full(len(support), -1, np.int32)

    def collect(self, inputs: Ints, targets: Ints, samples: Ints, windows: list[list[int]]) -> Iterator[Rows]:
        looked_up = inputs if self._tied else inputs[:0]
        steps = np.array([len(window) for window in windows])
        sizes = [sum(window) for window in windows]
        lanes = np.array([count for window in windows for count in window])
        capacity = len(targets) + samples.size + len(looked_up)
        told = int(steps @ (np.array(sizes) + samples.shape[1]))
        items, drawn = np.empty(capacity, np.int64), torch.empty(2, told, dtype=self._dtype)
        target_at, input_at = np.empty_like(targets), np.empty_like(looked_up)
        places, found = (targets, samples, looked_up), (items, drawn.numpy(), target_at, input_at)
        made = distinct(places, (steps, lanes), self._weights.numpy(), self._slots, found).tolist()

        columns = self._columns(windows, lanes, made[0], drawn, (targets, target_at), samples)
        parts = zip(
            made[0],
            self._split(torch.from_numpy(items[: sum(made[1])]), made[1]),
            self._split(torch.from_numpy(inputs), sizes),
            self._split(torch.from_numpy(input_at), sizes if self._tied else [0] * len(sizes)),
            windows,
            strict=True,
        )
        for n, rows, read, read_at, window in parts:
            yield Rows(rows, n, read, read_at, list(itertools.islice(columns, len(window))))

    def _columns(
        self,
        windows: list[list[int]],
        lanes: Ints,
        used: list[int],
        drawn: Tensor,
        places: tuple[Ints, Ints],
        samples: Ints,
    ) -> Iterator[Columns]:
        """Yield the columns of every step of every window; lanes (steps,) are the targets of each."""
        targets, target_at = places
        counts = lanes.tolist()
        widths = [n for n, window in zip(used, windows, strict=True) for _ in window]
        log_q = torch.from_numpy(self._log_q[targets]).to(self._dtype)
        parts = zip(
            self._split(torch.from_numpy(target_at), counts),
            self._split(drawn[0, : sum(widths)], widths),
            self._split(drawn[1, : sum(widths)], widths),
            self._split(log_q, counts),
            self._mean_log_q(targets, samples, windows, lanes),
            strict=True,
        )
        for target, times, weights, target_log_q, mean in parts:
            own = torch.ones_like(target_log_q) if self._exclude_hits else None
            yield Columns(target, times, weights, target_log_q, mean, own)

    def _split(self, values: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
        return torch.split(values.to(self._device), sizes)

    def _mean_log_q(self, targets: Ints, samples: Ints, windows: list[list[int]], lanes: Ints) -> list[float]:
        if not self._smoothing:
            return [0.0] * len(lanes)
        of_targets = np.add.reduceat(self._log_q[targets], np.cumsum(lanes) - lanes)
        of_samples = self._alpha * self._log_q[samples].sum(1)
        shared = np.repeat(of_samples, [len(window) for window in windows])
        return list((of_targets + shared) / (lanes + samples.shape[1]))


@final
class EveryItem(Candidates):
    """The whole catalogue as candidates, each item once: the full softmax of small catalogues."""

    def __init__(
        self, n_items: int, *, dtype: torch.dtype = torch.float32, device: torch.device | None = None
    ) -> None:
        self._rows = torch.arange(n_items, device=device)
        self._ones = torch.ones(n_items, dtype=dtype, device=device)

    def collect(
        self,
        inputs: Ints,
        targets: Ints,
        samples: Ints,  # noqa: ARG002
        windows: list[list[int]],
    ) -> Iterator[Rows]:
        device, sizes = self._rows.device, [sum(window) for window in windows]
        every = [torch.split(torch.from_numpy(values).to(device), sizes) for values in (inputs, targets)]
        for read, target, window in zip(*every, windows, strict=True):
            steps = [
                Columns(part, self._ones, self._ones, torch.zeros_like(part, dtype=self._ones.dtype), 0.0)
                for part in torch.split(target, window)
            ]
            yield Rows(self._rows, len(self._rows), read, read, steps)
