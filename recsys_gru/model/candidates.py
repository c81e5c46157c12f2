"""The items a window of steps scores: the lanes' targets and the shared samples, each distinct item once, and
how often it counts in each step.

A step's candidates are its own targets and the samples, which the window's steps share. The targets of the
other steps are no negatives of it: they are what the same sessions go on with.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.kernels.arrays import each_once
from recsys_gru.kernels.candidates import distinct
from recsys_gru.model.losses import Again, Columns

Ints = NDArray[np.int64]
Reals = NDArray[np.floating]


class Rows(NamedTuple):
    """The item rows that a window reads and changes: the U candidates first, then items that are only
    input."""

    rows: Tensor
    """(V,) int64: item numbers."""
    n_candidates: int
    """U."""
    inputs: Tensor
    """(P, K) int64: the item number of each input, then of what was clicked before it, -1 for none."""
    input_at: Tensor
    """(P, K) int64: the row of each of these, where they are looked up in the same table; else empty."""
    columns: Columns
    """What the loss is told of the candidates."""
    moment: Tensor | None = None
    """(P, C) int64: the labels of each input's moment, -1 for none."""
    worth: Tensor | None = None
    """(P,) what each target's loss counts; None: all the same."""


class Drawn(NamedTuple):
    """The rows of W windows, one window after the other, and how often each was drawn; E events in all."""

    inputs: Ints
    """(E, K) the item number of each input, then of what is looked back at, -1 for none."""
    rows: Ints
    """(V,) item numbers, distinct within a window, candidates first."""
    n_candidates: Ints
    """(W,)"""
    n_rows: Ints
    """(W,)"""
    input_at: Ints
    """(E, K) the row of each input, where inputs are looked up among the same rows; else (0, K)."""
    target_at: Ints
    """(E,) the row of each target."""
    target_log_q: Reals
    """(E,) the logQ correction of each target."""
    counts: Reals
    """How often each candidate counts in each step: of each window, T times U numbers."""
    weights: Reals
    """The summed weights of those places, in the same way."""
    again_at: Ints
    """(E, R) the row of each of the last clicks, each item once, -1 for none; (E, 0) where they count as any
    item does."""
    again: Reals
    """(2, E, R) how often each of these counts in its own row, and its weight."""


class Candidates(ABC):
    """Collects the distinct rows of some windows, with what the loss must know of them."""

    @abstractmethod
    def collect(self, inputs: Ints, targets: Ints, samples: Ints, windows: list[list[int]]) -> Iterator[Rows]:
        """Yield the rows of each window, given inputs with the clicks before them (P, K) and targets (P,),
        step after step, samples (windows, S), all item numbers, int64, and the number of targets of each step
        of each window."""


@final
class SampledCandidates(Candidates):
    """Targets and samples, with counts and logQ corrections.

    logQ subtracts logq * log q_j from a score, q_j = support_j where j is a target and support_j ** alpha
    where it is a sample. Equal items merge into one column whose weight is the sum of exp(-logQ) over their
    places. With `repeats` so many last clicks of each lane are candidates as well; in the lane's own row they
    count as often as samples and the targets of the other lanes do in the mean.
    """

    def __init__(
        self,
        support: NDArray[np.int64] | NDArray[np.float64],
        *,
        tied: bool = True,
        logq: float = 0.0,
        alpha: float = 0.5,
        smoothing: bool = False,
        exclude_hits: bool = False,
        look_back: int = 0,
        repeats: int = 0,
        drawn: tuple[int, int] = (0, 0),
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        """Prepare for items with so many training events (N,); `tied`: inputs are looked up among the same
        rows. `drawn` are the samples, and the targets of other lanes, of a row."""
        self._log_q = logq * np.log(np.maximum(support, 1).astype(np.float64))  # (N,)
        self._alpha = alpha
        weights = torch.from_numpy(np.exp([-self._log_q, -alpha * self._log_q]))
        self._weights: Reals = weights.to(dtype).numpy()  # (2, N)
        self._reads, self._repeats = max(look_back, 1), repeats
        self._means = _means(support, drawn, alpha, weights.numpy()) if repeats else None  # (2, N)
        self._tied = tied
        self._smoothing = smoothing
        self._exclude_hits = exclude_hits
        self._device = device or torch.device("cpu")
        self._slots = np.full(len(support), -1, np.int32)

    def draw(self, inputs: Ints, targets: Ints, samples: Ints, windows: list[list[int]]) -> Drawn:
        """Number the distinct rows of each window; the arguments are those of `collect`."""
        looked_up = inputs if self._tied or self._repeats else inputs[:0]
        steps = np.array([len(window) for window in windows])
        sizes = [sum(window) for window in windows]
        lanes = np.array([count for window in windows for count in window])
        capacity = len(targets) + samples.size + looked_up.size
        most = np.array(sizes) * (1 + inputs.shape[1] * (self._repeats > 0)) + samples.shape[1]
        told = int(steps @ most)
        items, drawn = np.empty(capacity, np.int64), np.empty((2, told), self._weights.dtype)
        target_at, input_at = np.empty_like(targets), np.empty_like(looked_up)
        places, found = (targets, samples, looked_up), (items, drawn, target_at, input_at)
        candidates, rows = distinct(
            places, (steps, lanes), self._weights, self._slots, found, self._repeats > 0
        )
        counts, weights = drawn[:, : int(steps @ candidates)]
        log_q = self._log_q[targets].astype(drawn.dtype)
        return Drawn(
            _first_columns(inputs, self._reads),
            items[: rows.sum()],
            candidates,
            rows,
            _first_columns(input_at if self._tied else input_at[:0], self._reads),
            target_at,
            log_q,
            counts,
            weights,
            *self._again(inputs, input_at),
        )

    def _again(self, inputs: Ints, input_at: Ints) -> tuple[Ints, Reals]:
        """Where the last clicks are among the candidates, and how often they count."""
        clicked = each_once(inputs[:, : self._repeats])
        if self._means is None:
            return clicked, np.empty((2, *clicked.shape), self._weights.dtype)
        at = np.where(clicked >= 0, input_at[:, : self._repeats], -1)
        return at, self._means[:, np.maximum(clicked, 0)]

    def collect(self, inputs: Ints, targets: Ints, samples: Ints, windows: list[list[int]]) -> Iterator[Rows]:
        drawn = self.draw(inputs, targets, samples, windows)
        steps, sizes = [len(window) for window in windows], [sum(window) for window in windows]
        widths = (drawn.n_candidates * steps).tolist()
        parts = zip(
            drawn.n_candidates.tolist(),
            self._split(drawn.rows, drawn.n_rows.tolist()),
            self._split(drawn.inputs, sizes),
            self._split(drawn.input_at, sizes if self._tied else [0] * len(sizes)),
            self._split(drawn.target_at, sizes),
            self._split(steps_of(windows), sizes),
            self._split(drawn.counts, widths),
            self._split(drawn.weights, widths),
            self._split(drawn.target_log_q, sizes),
            self._split(self._mean_log_q(targets, samples, windows), steps),
            zip(
                self._split(drawn.again_at, sizes),
                self._split(drawn.again[0], sizes),
                self._split(drawn.again[1], sizes),
                strict=True,
            ),
            strict=True,
        )
        for n, rows, read, read_at, target, at, counts, weights, log_q, mean, clicked in parts:
            own = torch.ones_like(log_q) if self._exclude_hits else None
            again = Again(*clicked) if self._repeats else None
            columns = Columns(target, at, counts.view(-1, n), weights.view(-1, n), log_q, mean, own, again)
            yield Rows(rows, n, read, read_at, columns)

    def _split(self, values: Ints | Reals, sizes: list[int]) -> tuple[Tensor, ...]:
        return torch.split(torch.from_numpy(values).to(self._device), sizes)

    def _mean_log_q(self, targets: Ints, samples: Ints, windows: list[list[int]]) -> Reals:
        """Return (steps of all windows,): the mean logQ correction of a step's candidates; zero where
        unused."""
        lanes = np.concatenate(windows)
        if not self._smoothing:
            return np.zeros(len(lanes), self._weights.dtype)
        of_targets = np.add.reduceat(self._log_q[targets], np.cumsum(lanes) - lanes)
        shared = np.repeat(self._alpha * self._log_q[samples].sum(1), [len(window) for window in windows])
        mean: Reals = ((of_targets + shared) / (lanes + samples.shape[1])).astype(self._weights.dtype)
        return mean


def _first_columns(values: Ints, count: int) -> Ints:
    return np.ascontiguousarray(values[:, :count])


def _means(
    support: NDArray[np.int64] | NDArray[np.float64],
    drawn: tuple[int, int],
    alpha: float,
    weights: NDArray[np.float64],
) -> Reals:
    """How often each item (N,) counts in a row in the mean, given how many samples and targets of other lanes
    the row has, and with what weight, that of each draw being weights (2, N), of a target and of a sample."""
    clicks = support.astype(np.float64)  # (N,)
    chances = (np.where(clicks > 0, clicks**power, 0.0) for power in (1.0, alpha))
    samples, others = drawn
    of_targets, of_samples = (
        count * chance / chance.sum() for count, chance in zip((others, samples), chances, strict=True)
    )
    means = np.stack([of_targets + of_samples, of_targets * weights[0] + of_samples * weights[1]])
    return means.astype(np.float32)


def steps_of(windows: list[list[int]]) -> Ints:
    """Return the step within its window of each event, (E,), given the lanes of each step of each window."""
    return np.concatenate([np.repeat(np.arange(len(window)), window) for window in windows])


@final
class EveryItem(Candidates):
    """Every item that was clicked as a candidate, once: the full softmax of small catalogues."""

    def __init__(
        self,
        support: NDArray[np.int64] | NDArray[np.float64],
        *,
        look_back: int = 0,
        repeats: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> None:
        self._reads, self._repeats = max(look_back, 1), repeats
        clicked = np.flatnonzero(support > 0)
        self._rows = torch.from_numpy(clicked).to(device)
        self._ones = torch.ones(len(clicked), dtype=dtype, device=device)
        self._place = np.full(len(support) + 1, -1)  # the last one: of none
        self._place[clicked] = np.arange(len(clicked))

    def collect(
        self,
        inputs: Ints,
        targets: Ints,
        samples: Ints,  # noqa: ARG002
        windows: list[list[int]],
    ) -> Iterator[Rows]:
        device, sizes = self._rows.device, [sum(window) for window in windows]
        once = each_once(inputs[:, : self._repeats])
        read = _first_columns(inputs, self._reads)
        places = (self._place[values] for values in (read, targets, once))
        every = (torch.split(torch.from_numpy(v).to(device), sizes) for v in (read, *places))
        for read, read_at, target, at, window in zip(*every, windows, strict=True):
            step = torch.repeat_interleave(torch.tensor(window, device=device))
            ones, zeros = self._ones.expand(len(window), -1), self._ones.new_zeros(len(target))
            count = ones.new_ones(at.shape)
            again = Again(at, count, count) if self._repeats else None
            columns = Columns(target, step, ones, ones, zeros, zeros[: len(window)], None, again)
            yield Rows(self._rows, len(self._rows), read, read_at, columns)
