"""Inverted dropout, whose masks are hashes of places."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.kernels.dropout import dropout_mask


class Dropout:
    """Inverted dropout; `p` is the probability to drop, and the generator draws a key for each mask."""

    def __init__(self, p: float, generator: np.random.Generator) -> None:
        self.p = p
        self.generator = generator

    def keys(self, masks: int) -> NDArray[np.int64]:
        """Draw the keys of the next masks."""
        return self.generator.integers(2**63, size=masks)

    def mask(self, like: Tensor) -> Tensor | None:
        """Return a mask of 0 and 1 / (1 - p), or None where nothing is dropped."""
        if self.p == 0:
            return None
        mask = torch.empty(like.shape, dtype=torch.float32)
        dropout_mask(int(self.keys(1)[0]), self.p, mask.view(-1).numpy())
        return mask.to(like.device, like.dtype)
