"""The items a step scores: the lanes' targets and the shared samples, each distinct item once, with its
count."""

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
    """The item rows that a step reads and changes: the U candidates first, then items that are only input."""

    rows: Tensor
    """(V,) int64: item numbers."""
    n_candidates: int
    """U."""
    inputs: Tensor
    """(P,) int64: the item number of each input."""
    input_at: Tensor
    """(P,) int64: the row of each input, where the input is looked up in the same table; else empty."""
    columns: Columns


class Candidates(ABC):
    """Collects the distinct rows of some steps, with what the loss must know of them."""

    @abstractmethod
    def collect(self, inputs: Ints, targets: Ints, samples: Ints, counts: Ints) -> Iterator[Rows]:
        """Yield the rows of each step, given inputs and targets, both (P,), step after step, samples
        (steps, S), all item numbers, and the number of targets of each step (steps,); all int64."""


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

    def collect(self, inputs: Ints, targets: Ints, samples: Ints, counts: Ints) -> Iterator[Rows]:
        looked_up = inputs if self._tied else inputs[:0]
        capacity = len(targets) + samples.size + len(looked_up)
        items, drawn = np.empty(capacity, np.int64), torch.empty(2, capacity, dtype=self._dtype)
        target_at, input_at = np.empty_like(targets), np.empty_like(looked_up)
        places, found = (targets, samples, looked_up), (items, drawn.numpy(), target_at, input_at)
        made = distinct(places, counts, self._weights.numpy(), self._slots, found).tolist()

        used, sizes = made[1], counts.tolist()
        total = sum(used)
        log_q = torch.from_numpy(self._log_q[targets]).to(self._dtype)
        parts = zip(
            made[0],
            self._split(torch.from_numpy(items[:total]), used),
            self._split(drawn[0, :total], used),
            self._split(drawn[1, :total], used),
            self._split(torch.from_numpy(inputs), sizes),
            self._split(torch.from_numpy(input_at), sizes if self._tied else [0] * len(sizes)),
            self._split(torch.from_numpy(target_at), sizes),
            self._split(log_q, sizes),
            self._mean_log_q(targets, samples, counts),
            strict=True,
        )
        for n, rows, times, weights, read, read_at, target, target_log_q, mean in parts:
            own = torch.ones_like(target_log_q) if self._exclude_hits else None
            columns = Columns(target, times[:n], weights[:n], target_log_q, mean, own)
            yield Rows(rows, n, read, read_at, columns)

    def _split(self, values: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
        return torch.split(values.to(self._device), sizes)

    def _mean_log_q(self, targets: Ints, samples: Ints, counts: Ints) -> list[float]:
        if not self._smoothing:
            return [0.0] * len(counts)
        of_targets = np.add.reduceat(self._log_q[targets], np.cumsum(counts) - counts)
        of_samples = self._alpha * self._log_q[samples].sum(1)
        return list((of_targets + of_samples) / (counts + samples.shape[1]))


@final
class EveryItem(Candidates):
    """The whole catalogue as candidates, each item once: the full softmax of small catalogues."""

    def __init__(
        self, n_items: int, *, dtype: torch.dtype = torch.float32, device: torch.device | None = None
    ) -> None:
        self._rows = torch.arange(n_items, device=device)
        self._ones = torch.ones(n_items, dtype=dtype, device=device)

    def collect(self, inputs: Ints, targets: Ints, samples: Ints, counts: Ints) -> Iterator[Rows]:  # noqa: ARG002
        device, sizes = self._rows.device, counts.tolist()
        every = [torch.split(torch.from_numpy(values).to(device), sizes) for values in (inputs, targets)]
        for read, target in zip(*every, strict=True):
            columns = Columns(
                target, self._ones, self._ones, torch.zeros_like(target, dtype=self._ones.dtype), 0.0
            )
            yield Rows(self._rows, len(self._rows), read, read, columns)
