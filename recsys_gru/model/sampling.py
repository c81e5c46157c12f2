"""Negative samples: items drawn with probability proportional to support ** alpha."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.sampling import alias_draw, alias_table


class NegativeSampler:
    """Draws the S items that all lanes of a step share, with replacement, from its own generator.

    Source: Hidasi & Karatzoglou 2018, section 3.1 (additional samples, alpha). The alias method (Walker 1977)
        makes a
    draw two look-ups, whatever the size of the catalogue.

    >>> sampler = NegativeSampler(np.array([1, 3]), 4, alpha=0.0, seed=np.random.SeedSequence(5))
    >>> sampler.draw(steps=2).shape
    (2, 4)
    """

    def __init__(
        self,
        support: NDArray[np.int64] | NDArray[np.float64],
        n_sample: int,
        *,
        alpha: float,
        seed: np.random.SeedSequence,
    ) -> None:
        weights = np.where(support > 0, support.astype(np.float64) ** alpha, 0.0)  # never what had no click
        self._share = np.empty(len(support), np.float64)
        self._other = np.empty(len(support), np.int32)
        alias_table(weights / weights.sum(), self._share, self._other)
        self.generator = np.random.Generator(np.random.PCG64(seed))
        self._n_sample = n_sample

    def draw(self, steps: int) -> NDArray[np.int64]:
        """Return the S items of each of the next steps, int64 (steps, S)."""
        uniform = self.generator.random(steps * self._n_sample)
        drawn = np.empty(len(uniform), np.int64)
        alias_draw(uniform, self._share, self._other, drawn)
        return drawn.reshape(steps, self._n_sample)
