"""What the loops take: arrays of NumPy, by what their numbers mean."""

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.int64]
"""Item numbers, places, counts and times."""
Floats = NDArray[np.float32]
Reals = NDArray[np.float32] | NDArray[np.float64]
"""In loops that are compiled for either precision."""
Masks = NDArray[np.bool_]
"""Which items, rows or scores."""
