"""Luck or not: bootstrap and permutation over sessions, for events of one session are not independent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.evaluation.ledger import metric_grid, rank_values
from recsys_gru.evaluation.metrics import GAINS

Floats = NDArray[np.float64]

LEAST = 10
"""Sessions that an interval needs to mean anything."""
CELLS = 4_000_000
"""Random weights held at once: 32 MB, however many sessions and resamples."""


@final
@dataclass(frozen=True, eq=False)
class SessionSums:
    """What resampling needs: gains summed per session ``sums`` (n, M), events ``counts`` (n,)."""

    sums: Floats
    counts: Floats

    @property
    def means(self) -> Floats:
        """Event-weighted means (M,)."""
        means: Floats = self.sums.sum(axis=0) / self.counts.sum()
        return means


def session_sums(ranks: pl.DataFrame, grid: Sequence[tuple[str, int]], ties: str) -> SessionSums:
    """Sum the gains of each (metric, cut-off) over the events of each session; sessions in id order."""
    values = rank_values(ranks, ties)
    owner = ranks["session_id"].rank("dense").to_numpy().astype(np.int64) - 1  # (E,)
    sums = [np.bincount(owner, weights=GAINS[name](values, k)) for name, k in grid]
    return SessionSums(np.stack(sums, axis=1), np.bincount(owner).astype(np.float64))


def bootstrap_means(sums: SessionSums, resamples: int, generator: np.random.Generator) -> Floats:
    """Means (resamples, M) over sessions drawn with replacement.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; the session is the unit.
    """
    sessions = len(sums.counts)
    means = []
    for size in _chunks(resamples, sessions):
        drawn = generator.integers(0, sessions, (size, sessions)) + np.arange(size)[:, None] * sessions
        weights = (
            np.bincount(drawn.ravel(), minlength=size * sessions).reshape(size, sessions).astype(np.float64)
        )
        means.append((weights @ sums.sums) / (weights @ sums.counts)[:, None])
    return np.concatenate(means)  # (resamples, M)


def permutation_p(differences: Floats, permutations: int, generator: np.random.Generator) -> Floats:
    """Two-sided p-values (M,) that per-session differences (n, M) are as likely to be turned round.

    Source: Good, Permutation, Parametric, and Bootstrap Tests of Hypotheses, 2005 (paired sign flips);
    Phipson & Smyth, Permutation P-values should never be zero, 2010 (the observed one counts).
    """
    moved = differences[(differences != 0).any(axis=1)]  # (n', M): a zero stays zero when flipped
    observed = np.abs(moved.sum(axis=0))
    slack = 1e-9 * np.abs(moved).sum(axis=0)  # equal sums in another order of addition still count as equal
    reached = np.zeros(differences.shape[1])
    for size in _chunks(permutations, len(moved)):
        signs = generator.integers(0, 2, (size, len(moved)), dtype=np.int8) * 2.0 - 1.0
        reached += (np.abs(signs @ moved) >= observed - slack).sum(axis=0)
    p_values: Floats = (reached + 1) / (permutations + 1)
    return p_values


def holm(p_values: Floats) -> Floats:
    """Holm's step-down correction (M,): controls the chance of any false finding among all comparisons.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def intervals(
    ranks: pl.DataFrame,
    metrics: Sequence[str] = ("recall", "mrr"),
    cutoffs: Sequence[int] = (5, 10, 20),
    *,
    ties: str = "conservative",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pl.DataFrame:
    """Metrics with percentile intervals from a bootstrap over sessions: metric, k, value, low, high.

    Both ends are null below 10 sessions: resampling so few says nothing of others.

    >>> ranks = pl.DataFrame({"session_id": [1, 1, 2], "rank": [1.0, 9.0, 2.0]})
    >>> intervals(ranks, ["recall"], [5])["value"].round(3).to_list()
    [0.667]
    """
    grid = metric_grid(metrics, cutoffs)
    sums = session_sums(ranks, grid, ties)
    means = bootstrap_means(sums, resamples, np.random.default_rng(seed))
    names, ks = zip(*grid, strict=True)
    span = ends(means, level, len(sums.counts))
    return pl.DataFrame({"metric": names, "k": ks, "value": sums.means, **span})


def ends(means: Floats, level: float, n_sessions: int) -> dict[str, pl.Series]:
    """Lower and upper ends (M,) of the intervals of resampled means (R, M), null below 10 sessions."""
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    found = {"low": pl.Series(low), "high": pl.Series(high)}
    return found if n_sessions >= LEAST else {name: one.clear(len(one)) for name, one in found.items()}


def _chunks(total: int, width: int) -> Iterator[int]:
    size = max(1, CELLS // max(width, 1))
    for first in range(0, total, size):
        yield min(size, total - first)
