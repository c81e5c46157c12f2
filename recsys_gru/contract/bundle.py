"""The saved model as values, and the names of its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.sessions import Vocabulary

WEIGHTS = "weights.safetensors"
CHANGES = "changes.safetensors"
VOCABULARY = "vocabulary.parquet"


@final
@dataclass(frozen=True, eq=False)
class Bundle:
    """All that a fitted model is, in plain values.

    Attributes:
        model: name of the recommender's class.
        parameters: its hyper-parameters, as JSON can hold them.
        weights: its fitted arrays by name.
        vocabulary: its items.
        fingerprint: of the sessions it was fitted on.
        metrics: figures to keep beside it.
        metadata: anything the caller wants to be told again, such as a time of creation.
    """

    model: str
    parameters: Mapping[str, object]
    weights: Mapping[str, NDArray[np.generic]]
    vocabulary: Vocabulary
    fingerprint: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


def aside_of(target: Path) -> Path:
    """Where an older model lies for a moment while it is replaced."""
    return target.with_name(f".{target.name}.old")
