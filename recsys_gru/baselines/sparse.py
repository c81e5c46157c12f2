"""Scores that differ from a common base for a few items only: rows of a sparse matrix."""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_gru.kernels.sparse import fill_own, fill_tile
from recsys_gru.ranking import Base, Block, Entries


@lru_cache(maxsize=16)
def zeros(count: int) -> Base:
    """So many zeros: always the same ones, never to be written on."""
    return Base.of(np.zeros(count, np.float32))


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix: row r holds the entries ``offsets[r]`` to ``offsets[r + 1]``, by ascending item."""

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> "Rows":
        """The rows of a SciPy matrix, zeros left out."""
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return cls(
            matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
        )

    @classmethod
    def nothing(cls, count: int) -> "Rows":
        """So many empty rows."""
        return cls(np.zeros(count + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))

    def of_so_many(self, count: int) -> "Rows":
        """The same and empty rows after them, so many together."""
        more = np.full(count + 1 - len(self.offsets), len(self.items))
        return Rows(np.append(self.offsets, more), self.items, self.values)


@final
class SparseBlock(Block):
    """Scores of Q prefixes: the base's, but where row ``which[q]`` of the matrix holds a value, that
    value.

    >>> base = Base.of(np.zeros(3, dtype=np.float32))
    >>> matrix = Rows(np.array([0, 1]), np.array([2], dtype=np.int32), np.array([5], dtype=np.float32))
    >>> SparseBlock(np.array([0]), base, matrix, np.array([0])).tile(1, 3)
    array([[0., 5.]], dtype=float32)
    """

    def __init__(self, rows: NDArray[np.int64], base: Base, matrix: Rows, which: NDArray[np.int64]) -> None:
        self.rows = rows
        self.n_items = len(base.scores)
        self._base = base
        self._matrix = matrix
        self._which = which

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        scores = np.repeat(self._base.scores[None, start:stop], len(self.rows), axis=0)  # (Q, T)
        fill_tile(self._matrix.offsets, self._matrix.items, self._matrix.values, self._which, start, scores)
        return scores

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        which = self._which if rows is None else self._which[rows]
        scores = self._base.scores[items]  # (P,) a copy
        fill_own(self._matrix.offsets, self._matrix.items, self._matrix.values, which, items, scores)
        return scores

    def entries(self) -> Entries:
        matrix = self._matrix
        return Entries(self._base, matrix.offsets, matrix.items, matrix.values, self._which)
