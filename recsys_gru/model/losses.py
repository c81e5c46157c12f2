"""Ranking losses over the candidates of a mini-batch, as pure functions of scores.

A candidate that was drawn several times is one column with a count, never several equal columns: every loss
here is a sum over candidates in which a column counts ``counts`` times. That is the published loss, term by
term, with fewer multiplications. P is the number of predicted events (rows), U the number of distinct
candidate items (columns).

Each function gives the loss of each row, (P,); automatic differentiation gives the gradient. The two losses
of the published models have their gradient in closed form as well (`gradients.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import elu, logsigmoid, softplus

from recsys_gru.errors import ParameterError

TINY = 1e-24
"""Added inside BPR-max's logarithm, as published."""


class Again(NamedTuple):
    """The columns of the last clicks of each row's own session, R at most, each item once.

    In their own row they do not count as often as they happened to be drawn, but as often as draws come to in
    the mean: which of them come again is to be learned from each row.
    """

    at: Tensor
    """(P, R) int64: the column of each, -1 for none."""
    counts: Tensor
    """(P, R) how often each counts; a target's own place is one besides."""
    weights: Tensor
    """(P, R) the weight of each in cross-entropy, also where it is the target."""

    def put(self, rows: Tensor, values: Tensor) -> Tensor:
        """Return rows (P, U) with values (P, R) in these columns."""
        row, place = torch.nonzero(self.at >= 0, as_tuple=True)
        return rows.index_put((row, self.at[row, place]), values[row, place])


@dataclass(frozen=True)
class Columns:
    """What a loss must know of the scored columns beside their scores.

    The rows are those of T steps, each with candidates of its own among the columns.
    """

    target: Tensor
    """(P,) int64: the column that holds each row's target."""
    step: Tensor
    """(P,) int64: the step of each row."""
    counts: Tensor
    """(T, U) how often each column's item stands among a step's candidates; the target's own place is one of
    them."""
    weights: Tensor
    """(T, U) the summed weights exp(-logQ) of those places; their number where logQ is off."""
    target_log_q: Tensor
    """(P,) the logQ correction of each row's own target."""
    mean_log_q: Tensor
    """(T,) the logQ corrections of all candidates of a step, averaged; only label smoothing needs it."""
    own_counts: Tensor | None = None
    """(P,) how often the target counts in its own row; None: as often as it was drawn. 1 leaves out
    accidental hits."""
    again: Again | None = None

    def places(self) -> Tensor:
        """Return (P, U): how often each candidate counts in each row."""
        rows = self.counts[self.step]
        own = self.own_counts
        if self.again is not None:
            own = rows.gather(1, self.target[:, None])[:, 0] if own is None else own
            rows = self.again.put(rows, self.again.counts)
        return rows if own is None else rows.scatter(1, self.target[:, None], own[:, None])

    def negatives(self) -> Tensor:
        """Return (P, U): as `places`, less the target's own place."""
        rows = self.places()
        return rows.scatter_add(1, self.target[:, None], torch.full_like(rows[:, :1], -1))

    def log_rows(self) -> Tensor:
        """Return (P, U): the log weights of each row."""
        rows = self.weights.log()[self.step]
        if self.own_counts is not None:
            own = self.own_counts.log() - self.target_log_q
            rows = rows.scatter(1, self.target[:, None], own[:, None])
        return rows if self.again is None else self.again.put(rows, self.again.weights.log())


Loss = Callable[[Tensor, Columns], Tensor]


def cross_entropy(scores: Tensor, columns: Columns, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the target among the candidates, with logQ correction and label smoothing e.

    (1 - e n / (n - 1)) (-log p_i) + e / (n - 1) sum_j (-log p_j), where n counts the candidates.
    Source: Hidasi & Karatzoglou 2018, eq. 5; Yi et al. 2019 (logQ).
    """
    log_z = torch.logsumexp(scores + columns.log_rows(), 1)  # (P,)
    own = log_z - _target(scores, columns) + columns.target_log_q  # (P,)
    if smoothing == 0:
        return own
    places = columns.places()
    n = places.sum(1)  # (P,)
    every = n * (log_z + columns.mean_log_q[columns.step]) - (places * scores).sum(1)  # (P,)
    spread = smoothing / (n - 1).clamp(min=1)
    return (1 - spread * n) * own + spread * every


def bpr_max(scores: Tensor, columns: Columns, bpreg: float = 1.0, elu_param: float = 0.5) -> Tensor:
    """BPR-max with score regularisation: -log(sum_j s_j sigmoid(y - r_j) + 1e-24) + bpreg sum_j s_j r_j^2.

    The scores first pass an ELU of `elu_param` (0: none); s is the softmax over the negatives.
    Source: Hidasi & Karatzoglou 2018, eq. 11.
    """
    r = elu(scores, elu_param) if elu_param > 0 else scores
    s = softmax_over_negatives(r, columns)
    won = (s * torch.sigmoid(_target(r, columns)[:, None] - r)).sum(1)
    return bpreg * (s * r * r).sum(1) - torch.log(won + TINY)


def bpr(scores: Tensor, columns: Columns) -> Tensor:
    """BPR: sum_j -log sigmoid(y - r_j), the target itself included.

    Source: Rendle et al. 2009; Hidasi et al. 2016, section 3.1.3.
    """
    return (columns.places() * -logsigmoid(_target(scores, columns)[:, None] - scores)).sum(1)


def top1(scores: Tensor, columns: Columns) -> Tensor:
    """TOP1: mean_j(sigmoid(r_j - y) + sigmoid(r_j^2)) - sigmoid(y^2) / n.

    Source: Hidasi et al. 2016, section 3.1.3.
    """
    y, places = _target(scores, columns), columns.places()
    n = places.sum(1)
    return ((places * _top1_terms(scores, y)).sum(1) - torch.sigmoid(y * y)) / n


def top1_max(scores: Tensor, columns: Columns) -> Tensor:
    """TOP1-max: sum_j s_j (sigmoid(r_j - y) + sigmoid(r_j^2)), s the softmax over the negatives.

    Source: Hidasi & Karatzoglou 2018, eq. 8.
    """
    y, s = _target(scores, columns), softmax_over_negatives(scores, columns)
    return (s * _top1_terms(scores, y)).sum(1)


def gbce(scores: Tensor, columns: Columns, beta: float = 1.0) -> Tensor:
    """Generalised binary cross-entropy: -(beta log sigmoid(y) + sum_j log(1 - sigmoid(r_j))) / n over the
    negatives.

    Source: Petrov & Macdonald 2023 (gSASRec), eq. 11; `gbce_beta` gives beta from the sampling rate.
    """
    lost = (columns.negatives() * softplus(scores)).sum(1)
    return (lost - beta * logsigmoid(_target(scores, columns))) / columns.places().sum(1)


def gbce_beta(n_negatives: int, n_items: int, calibration: float) -> float:
    """Return gBCE's beta for a sampling rate and calibration t in [0, 1]: a (t (1 - 1/a) + 1/a).

    Source: Petrov & Macdonald 2023, eq. 13.
    """
    rate = min(1.0, n_negatives / max(n_items - 1, 1))
    return rate * (calibration * (1 - 1 / rate) + 1 / rate)


def softmax_over_negatives(scores: Tensor, columns: Columns) -> Tensor:
    """Return (P, U): the softmax over each row's negatives, a column weighing as often as it counts; zero
    without any.

    Source: Hidasi & Karatzoglou 2018, eq. 7.
    """
    negatives = columns.negatives()
    none = negatives == 0
    top = scores.detach().masked_fill(none, -torch.inf).amax(1, keepdim=True)
    # masked, not clamped: versions of torch differ in what flows back through a clamp at its bound
    below = (scores - top.clamp(min=torch.finfo(scores.dtype).min)).masked_fill(none, 0)
    weights = negatives * torch.exp(below)
    return weights / weights.sum(1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)


def _target(scores: Tensor, columns: Columns) -> Tensor:
    return scores.gather(1, columns.target[:, None])[:, 0]  # (P,)


def _top1_terms(scores: Tensor, y: Tensor) -> Tensor:
    return torch.sigmoid(scores - y[:, None]) + torch.sigmoid(scores * scores)  # (P, U)


NAMES = ("cross-entropy", "bpr-max", "bpr", "top1", "top1-max", "gbce", "softmax")


def require_loss(name: str) -> None:
    """Raise ParameterError unless the loss is one of ours."""
    if name not in NAMES:
        raise ParameterError(f"loss must be one of {', '.join(NAMES)}, not {name!r}")
