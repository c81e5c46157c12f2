"""Rows of what is known about a moment, added to what is read out after it, and the way of gradients back.

Sums are added up as they are written: the same bits in whatever loop these are compiled into.
"""

import numpy as np

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import in_order


@in_order
def add_labels(table: Floats, labels: Items, out: Floats) -> None:
    """Add the rows of the labels (Q, C), -1 for none, of a table (L, H) to `out` (Q, H).

    Twin: NumPy, tests/kernels/test_moment.py::test_the_rows_of_labels_are_added.
    """
    for q in range(len(labels)):
        for c in range(labels.shape[1]):
            label = labels[q, c]
            if label >= 0:
                for j in range(out.shape[1]):
                    out[q, j] += table[label, j]


@in_order
def label_sums(labels: Items, n_labels: int, gradient: Floats) -> tuple[Items, Floats]:
    """Return the distinct ones (T,) of some labels (Q, C) of `n_labels`, by first appearance, and their
    gradients (T, H), given those of the rows (Q, H) that they were added to.

    Twin: NumPy, tests/kernels/test_moment.py::test_gradients_of_labels_are_sums.
    """
    slots, found, used = np.full(n_labels, -1, np.int64), np.empty(n_labels, np.int64), 0
    for q in range(len(labels)):
        for c in range(labels.shape[1]):
            label = labels[q, c]
            if label >= 0 and slots[label] < 0:
                slots[label], found[used] = used, label
                used += 1
    sums = np.zeros((used, gradient.shape[1]), np.float32)
    for q in range(len(labels)):
        for c in range(labels.shape[1]):
            if labels[q, c] >= 0:
                slot = slots[labels[q, c]]
                for j in range(gradient.shape[1]):
                    sums[slot, j] += gradient[q, j]
    return found[:used], sums
