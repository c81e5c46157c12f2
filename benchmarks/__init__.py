"""Measurements; each script runs on its own and prints what it found."""

import os

# where it is set, NumPy's products leave this processor's own instructions unused, and they are a peer
os.environ.pop("OPENBLAS_CORETYPE", None)
