"""The items a step scores: the lanes' targets and the shared samples, each distinct item once, with its
count."""

from abc import ABC, abstractmethod
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.model.kernels import distinct, weigh
from recsys_gru.model.losses import Columns

Ints = NDArray[np.int64]


class Rows(NamedTuple):
    """The item rows that a step reads and changes: the U candidates first, then items that are only input."""

    rows: Tensor
    """(V,) int64: item numbers."""
    n_candidates: int
    """U."""
    input_at: Tensor
    """(P,) int64: the row of each input."""
    columns: Columns


class Candidates(ABC):
    """Collects the distinct rows of a step, with what the loss must know of them."""

    @abstractmethod
    def collect(self, inputs: Ints, targets: Ints, samples: Ints) -> Rows:
        """Return the rows of a step with inputs and targets (P,) and samples (S,), all int64 item numbers."""


@final
class SampledCandidates(Candidates):
    """Targets and samples, with counts and logQ corrections.

    logQ subtracts logq * log q_j from a score, q_j = support_j where j is a target and support_j ** alpha
    where it is a
    sample. Equal items merge into one column whose weight is the sum of exp(-logQ) over their places.
    """

    def __init__(
        self,
        support: NDArray[np.int64],
        capacity: int,
        *,
        logq: float = 0.0,
        alpha: float = 0.5,
        smoothing: bool = False,
        exclude_hits: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        """Prepare for steps of at most `capacity` inputs, targets and samples together."""
        self._log_q = logq * np.log(np.maximum(support, 1).astype(np.float64))  # (N,)
        self._alpha = alpha
        self._weights = np.stack([np.exp(-self._log_q), np.exp(-alpha * self._log_q)])  # (2, N)
        self._smoothing = smoothing
        self._exclude_hits = exclude_hits
        self._dtype = dtype
        self._device = device or torch.device("cpu")
        self._slots = np.full(len(support), -1, np.int32)
        self._rows = np.empty(capacity, np.int64)
        self._drawn = np.empty((2, capacity), np.float64)
        self._at = np.empty(capacity, np.int64)

    def collect(self, inputs: Ints, targets: Ints, samples: Ints) -> Rows:
        at = self._at[: len(targets) + len(inputs)]
        n_candidates, used = distinct((targets, samples, inputs), self._slots, self._rows, self._drawn, at)
        rows, at = self._rows[:used].copy(), at.copy()
        columns = self._columns(rows[:n_candidates], targets, at[: len(targets)])
        return Rows(self._move(rows), n_candidates, self._move(at[len(targets) :]), columns)

    def _columns(self, items: Ints, targets: Ints, target_at: Ints) -> Columns:
        drawn = self._drawn[:, : len(items)]  # (2, U): how often each is a target, a sample
        counts, log_weights = torch.empty(2, len(items), dtype=self._dtype)
        weigh(drawn, items, self._weights, counts.numpy(), log_weights.numpy())
        target_log_q = torch.from_numpy(self._log_q[targets])
        return Columns(
            target=self._move(target_at),
            counts=counts.to(self._device),
            log_weights=log_weights.to(self._device),
            target_log_q=target_log_q.to(self._device, self._dtype),
            mean_log_q=self._mean_log_q(drawn, items),
            own_counts=torch.ones_like(target_log_q, dtype=self._dtype) if self._exclude_hits else None,
        )

    def _mean_log_q(self, drawn: NDArray[np.float64], items: Ints) -> float:
        if not self._smoothing:
            return 0.0
        factors = drawn[0] + self._alpha * drawn[1]
        return float((factors * self._log_q[items]).sum() / drawn.sum())

    def _move(self, values: Ints) -> Tensor:
        return torch.from_numpy(values).to(self._device)


@final
class EveryItem(Candidates):
    """The whole catalogue as candidates, each item once: the full softmax of small catalogues."""

    def __init__(
        self, n_items: int, *, dtype: torch.dtype = torch.float32, device: torch.device | None = None
    ) -> None:
        self._rows = torch.arange(n_items, device=device)
        self._ones = torch.ones(n_items, dtype=dtype, device=device)
        self._zeros = torch.zeros(n_items, dtype=dtype, device=device)

    def collect(self, inputs: Ints, targets: Ints, samples: Ints) -> Rows:  # noqa: ARG002 - nothing is sampled
        device = self._rows.device
        target = torch.from_numpy(targets).to(device)
        columns = Columns(
            target, self._ones, self._zeros, torch.zeros_like(target, dtype=self._ones.dtype), 0.0
        )
        return Rows(self._rows, len(self._rows), torch.from_numpy(inputs).to(device), columns)
