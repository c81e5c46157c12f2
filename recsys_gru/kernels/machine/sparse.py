"""Products with a sparse matrix in vector registers (`simd.py`): rows of a table picked and added up, and
rows added to picked ones.

Between a row that is read and one that is added to nothing is written: what the compiler makes of such loops
stores and loads the sums at each term.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import cgutils, types
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import instruction
from recsys_gru.kernels.machine.simd import BYTES, INT, LONG, VECTOR, WIDTH, Row, declared, splat

MOST = 8
"""Vectors of a row at a time: half the registers of AVX2."""


class _Sparse:
    """What the rows of a sparse matrix are made of, and the rows of two others that belong to them."""

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.builder = builder
        given = cgutils.unpack_tuple(builder, arguments[1])  # type: ignore[no-untyped-call]
        values = (arguments[0], *given, arguments[2])
        self.table, self.places, self.weights, self.spans, self.out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(
                (kinds[0], *kinds[1].types, *kinds[2:4]), (*values, arguments[3]), strict=True
            )
        )
        self.column = arguments[4]

    def row(self, array: Any, i: Any) -> Any:
        """The place in memory of a row of a matrix, from the column on."""
        step = self.builder.extract_value(array.strides, 0)
        shift = self.builder.add(self.builder.mul(i, step), self.builder.mul(self.column, LONG(4)))
        return self.builder.gep(self.builder.bitcast(array.data, BYTES), [shift])

    def span(self, i: Any) -> tuple[Any, Any]:
        """Where the terms of a row begin and end."""
        first = self.builder.gep(self.spans.data, [self.builder.mul(i, LONG(2))])
        return self.builder.load(first), self.builder.load(self.builder.gep(first, [LONG(1)]))

    def term(self, f: Any) -> tuple[Any, Any]:
        """The place and the weight of a term."""
        place = self.builder.load(self.builder.gep(self.places.data, [f]))
        weight = self.builder.load(self.builder.gep(self.weights.data, [f]))
        return self.builder.sext(place, LONG), splat(self.builder, weight)


def _gather(sparse: _Sparse, row: Row, i: Any) -> None:
    """Add the terms of a row to that of `out`."""
    builder, place = sparse.builder, sparse.row(sparse.out, i)
    fma = declared(builder, f"fma.v{WIDTH}f32", VECTOR, VECTOR, VECTOR, VECTOR)
    first, (begin, end) = row.load(place), sparse.span(i)
    before, head, body, done = (builder.block, *(builder.append_basic_block() for _ in range(3)))
    builder.branch(head)
    builder.position_at_end(head)
    f, sums = builder.phi(LONG), [builder.phi(VECTOR) for _ in first]
    f.add_incoming(begin, before)
    builder.cbranch(builder.icmp_signed("<", f, end), body, done)
    builder.position_at_end(body)
    which, weight = sparse.term(f)
    picked = row.load(sparse.row(sparse.table, which))
    for total, start, value in zip(sums, first, picked, strict=True):
        total.add_incoming(start, before)
        total.add_incoming(builder.call(fma, [weight, value, total]), body)
    f.add_incoming(builder.add(f, LONG(1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    row.store(sums, place)


def _scatter(sparse: _Sparse, row: Row, i: Any) -> None:
    """Add a row of the table to those of `out` that its terms name."""
    builder, values = sparse.builder, row.load(sparse.row(sparse.table, i))
    fma = declared(builder, f"fma.v{WIDTH}f32", VECTOR, VECTOR, VECTOR, VECTOR)
    begin, end = sparse.span(i)
    with cgutils.for_range(builder, end, begin) as loop:
        which, weight = sparse.term(loop.index)
        place = sparse.row(sparse.out, which)
        added = zip(values, row.load(place), strict=True)
        row.store([builder.call(fma, [weight, value, total]) for value, total in added], place)


def _each_row(body: Callable[[_Sparse, Row, Any], None]) -> Callable[..., tuple[Any, Any]]:
    """Make `body` the loop over all rows of a sparse matrix, so many vectors of the columns."""

    def typed(
        _typing: Any, table: Any, which: Any, spans: Any, out: Any, column: Any, vectors: Any
    ) -> tuple[Any, Any]:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sparse = _Sparse(context, builder, signature.args, arguments)
            rows = builder.extract_value(sparse.spans.shape, 0)
            left = builder.sub(builder.extract_value(sparse.out.shape, 1), sparse.column)
            done = builder.append_basic_block()
            choice = builder.switch(arguments[5], done)
            for count in range(1, MOST + 1):
                case = builder.append_basic_block()
                choice.add_case(LONG(count), case)
                builder.position_at_end(case)
                in_last = builder.trunc(builder.sub(left, LONG(WIDTH * (count - 1))), INT)
                with builder.if_else(builder.icmp_signed("<", in_last, INT(WIDTH))) as branches:
                    for branch, masked in zip(branches, (in_last, None), strict=True):
                        with branch:
                            row = Row(builder, count, masked)
                            with cgutils.for_range(builder, rows) as loop:
                                body(sparse, row, loop.index)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return types.void(table, which, spans, out, column, vectors), emit

    return typed


Floats = NDArray[np.float32]
Terms = tuple[NDArray[np.int32], Floats]
"""Places and weights."""


def _plain_gather(
    table: Floats, which: Terms, spans: NDArray[np.int64], out: Floats, column: int, vectors: int
) -> None:
    columns = slice(column, column + vectors * WIDTH)
    for i, span in enumerate(spans):
        for f in range(*span):
            out[i, columns] += which[1][f] * table[which[0][f], columns]


def _plain_scatter(
    table: Floats, which: Terms, spans: NDArray[np.int64], out: Floats, column: int, vectors: int
) -> None:
    columns = slice(column, column + vectors * WIDTH)
    for i, span in enumerate(spans):
        for f in range(*span):
            out[which[0][f], columns] += which[1][f] * table[i, columns]


gather = instruction(_each_row(_gather), _plain_gather)
scatter = instruction(_each_row(_scatter), _plain_scatter)
