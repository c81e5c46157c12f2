"""Two operations on vector registers that kernels call: a register-sized piece of a matrix product, and a
transposition.

A compiler does not find these forms from loops. They are spelt out once, as LLVM code for vectors of WIDTH
numbers, and LLVM turns them into whatever the processor has. Source of the form: Goto & van de Geijn 2008,
Anatomy of High-Performance Matrix Multiplication.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
import itertools
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import instruction

WIDTH = 16 if llvm.get_host_cpu_features().get("avx512f") else 8
"""Single-precision numbers in a vector: those of AVX-512, else of AVX2; NEON takes them as two."""
WIDEST = 3 if WIDTH == 16 else 2
"""Vectors side by side in a piece of a product."""
TALL = 8 if WIDTH == 16 else 6
"""Rows of a piece of a product: TALL x WIDEST sums, and what is multiplied, just fit the registers."""

FLOAT, INT, LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, LANES = ir.VectorType(FLOAT, WIDTH), ir.VectorType(INT, WIDTH)
BYTES = ir.IntType(8).as_pointer()
ZEROS = ir.Constant(VECTOR, [0.0] * WIDTH)
FIRST = ir.Constant(LANES, [0] * WIDTH)


def splat(builder: Any, value: Any, kind: Any = VECTOR) -> Any:
    """Return a vector that holds the value in every place."""
    unknown = ir.Constant(kind, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(unknown, value, INT(0)), unknown, FIRST)


def _shifted(builder: Any, pointer: Any, *steps: Any) -> Any:
    """Return a pointer so many bytes further."""
    for step in steps:
        pointer = builder.gep(pointer, [step])
    return pointer


def declared(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Return one of LLVM's own functions."""
    return cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(result, arguments), f"llvm.{name}"
    )


class Row:
    """WIDTH numbers at a time from a place in memory on; with `left`, the last vector holds so many of
    them."""

    def __init__(self, builder: Any, count: int, left: Any = None) -> None:
        self.builder = builder
        self.count = count
        self.left = left
        self.mask = None
        if left is not None:
            places = ir.Constant(LANES, list(range(WIDTH)))
            self.mask = builder.icmp_signed("<", places, splat(builder, left, LANES))

    def _at(self, pointer: Any, i: int) -> Any:
        return self.builder.bitcast(_shifted(self.builder, pointer, LONG(4 * WIDTH * i)), VECTOR.as_pointer())

    def load(self, pointer: Any) -> list[Any]:
        found = []
        for i in range(self.count):
            place = self._at(pointer, i)
            if self.mask is None or i < self.count - 1:
                found.append(self.builder.load(place, align=4))
                continue
            name = f"masked.load.v{WIDTH}f32.p0v{WIDTH}f32"
            load = declared(self.builder, name, VECTOR, place.type, INT, self.mask.type, VECTOR)
            found.append(self.builder.call(load, [place, INT(4), self.mask, ZEROS]))
        return found

    def store(self, values: list[Any], pointer: Any) -> None:
        for i, value in enumerate(values):
            place = self._at(pointer, i)
            if self.mask is None or i < self.count - 1:
                self.builder.store(value, place, align=4)
                continue
            name = f"masked.store.v{WIDTH}f32.p0v{WIDTH}f32"
            store = declared(self.builder, name, ir.VoidType(), VECTOR, place.type, INT, self.mask.type)
            self.builder.call(store, [value, place, INT(4), self.mask])


def _first_sums(builder: Any, row: Row, add: Any, out_rows: list[Any], given: list[Any]) -> list[list[Any]]:
    """Return what the sums of a piece start from: if `add`, what is there; else what is given for each
    row."""
    with builder.if_else(builder.trunc(add, ir.IntType(1))) as (adding, starting):
        with adding:
            held = [row.load(pointer) for pointer in out_rows]
            added_in = builder.block
        with starting:
            fresh = [splat(builder, builder.load(pointer)) for pointer in given]
            started_in = builder.block
    sums = [[builder.phi(VECTOR) for _ in range(row.count)] for _ in held]
    for i, v in itertools.product(range(len(held)), range(row.count)):
        sums[i][v].add_incoming(held[i][v], added_in)
        sums[i][v].add_incoming(fresh[i], started_in)
    return sums


def _added_up(
    builder: Any, row: Row, sums: list[list[Any]], factors: tuple[Any, Any], depth: Any
) -> list[list[Any]]:
    """Return the sums with a[i, k] * b[k] added for every k below `depth`; a factor is (pointers, bytes from
    k to k + 1).

    A masked load costs as much as all else of a turn, except with AVX-512. Beyond the end of a row of b comes
    the next one, which may as well be read: only the last row, or all if they are narrow, need the mask.
    """
    narrow = builder.icmp_signed("<", factors[1][1], LONG(4 * WIDTH))
    masked = builder.select(narrow, depth, LONG(1))
    masked = builder.select(_ragged(builder, row), masked, LONG(0))
    safe = builder.sub(depth, masked)
    sums = _added_over(builder, Row(builder, row.count), sums, factors, (LONG(0), safe))
    return _added_over(builder, row, sums, factors, (safe, depth))


def _ragged(builder: Any, row: Row) -> Any:
    """Return whether the last vector of a row is not a whole one."""
    return builder.icmp_signed("<", row.left, INT(WIDTH))


def _store(builder: Any, row: Row, sums: list[list[Any]], pointers: list[Any]) -> None:
    """Store the sums, with a mask only where the last vector is not a whole one."""
    with builder.if_else(_ragged(builder, row)) as branches:
        for branch, kind in zip(branches, (row, Row(builder, row.count)), strict=True):
            with branch:
                for totals, pointer in zip(sums, pointers, strict=True):
                    kind.store(totals, pointer)


def _added_over(
    builder: Any, row: Row, sums: list[list[Any]], factors: tuple[Any, Any], span: tuple[Any, Any]
) -> list[list[Any]]:
    """Return the sums with a[i, k] * b[k] added for every k of a span."""
    (a_rows, a_step), (b_row, b_step) = factors
    before, head, body, done = (builder.block, *(builder.append_basic_block() for _ in range(3)))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(LONG)
    k.add_incoming(span[0], before)
    running = [[builder.phi(VECTOR) for _ in line] for line in sums]
    builder.cbranch(builder.icmp_signed("<", k, span[1]), body, done)
    builder.position_at_end(body)
    fma = declared(builder, f"fma.v{WIDTH}f32", VECTOR, VECTOR, VECTOR, VECTOR)
    others = row.load(_shifted(builder, b_row, builder.mul(k, b_step)))
    for i, line in enumerate(sums):
        place = _shifted(builder, a_rows[i], builder.mul(k, a_step))
        factor = splat(builder, builder.load(builder.bitcast(place, FLOAT.as_pointer())))
        for v, first in enumerate(line):
            running[i][v].add_incoming(first, before)
            running[i][v].add_incoming(builder.call(fma, [factor, others[v], running[i][v]]), body)
    k.add_incoming(builder.add(k, LONG(1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    return running


def _product_piece(
    _typing: Any, a: Any, b: Any, out: Any, at: Any, start: Any, add: Any, vectors: Any, tall: Any
) -> tuple[Any, Any]:
    """Compute out[m : m + tall, n : n + vectors * WIDTH] of out = a @ b, all sums in registers.

    `at` is (m, n). The sums start from what `out` holds if `add`, else from start[m]. Rows beyond the last
    one are the last one again; the last vector ends where `out` does at the latest. The order of additions
    is that of k.
    """
    count = vectors.literal_value

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        ]
        starts = context.make_array(signature.args[4])(context, builder, arguments[4])
        (a_step, k_step), (b_step, _), (out_step, _) = (
            cgutils.unpack_tuple(builder, x.strides)  # type: ignore[no-untyped-call]
            for x in arrays
        )
        height, depth = cgutils.unpack_tuple(builder, arrays[0].shape)  # type: ignore[no-untyped-call]
        width = builder.extract_value(arrays[2].shape, 1)
        m, n = cgutils.unpack_tuple(builder, arguments[3])  # type: ignore[no-untyped-call]
        a_data, b_data, out_data = (builder.bitcast(x.data, BYTES) for x in arrays)
        beyond = builder.sub(width, n)
        row = Row(builder, count, builder.trunc(builder.sub(beyond, LONG(WIDTH * (count - 1))), INT))

        last, columns = builder.sub(height, LONG(1)), builder.mul(n, LONG(4))
        rows = [builder.add(m, LONG(i)) for i in range(tall.literal_value)]
        rows = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in rows]
        a_rows = [_shifted(builder, a_data, builder.mul(i, a_step)) for i in rows]
        out_rows = [_shifted(builder, out_data, builder.mul(i, out_step), columns) for i in rows]
        given = [builder.gep(starts.data, [i]) for i in rows]
        sums = _first_sums(builder, row, arguments[5], out_rows, given)
        factors = (a_rows, k_step), (_shifted(builder, b_data, columns), b_step)
        _store(builder, row, _added_up(builder, row, sums, factors, depth), out_rows)
        return context.get_dummy_value()

    return types.void(a, b, out, at, start, add, vectors, tall), emit


def _turned(builder: Any, lines: list[Any]) -> list[Any]:
    """Return the transpose of WIDTH vectors: blocks of so many lines change places with blocks of so many
    columns."""
    lines, size = list(lines), 1
    while size < WIDTH:
        low = [x + (x & size) // size * (WIDTH - size) for x in range(WIDTH)]
        high = [x + (size if not x & size else WIDTH) for x in range(WIDTH)]
        for k in range(WIDTH):
            if not k & size:
                pair = lines[k], lines[k + size]
                lines[k], lines[k + size] = (
                    builder.shuffle_vector(*pair, ir.Constant(LANES, chosen)) for chosen in (low, high)
                )
        size *= 2
    return lines


def _transposed_square(_typing: Any, source: Any, at: Any, out: Any) -> tuple[Any, Any]:
    """Set out[j : j + WIDTH, i : i + WIDTH] to the transpose of source[i : i + WIDTH, j : j + WIDTH], `at`
    being (i, j)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read = context.make_array(signature.args[0])(context, builder, arguments[0])
        written = context.make_array(signature.args[2])(context, builder, arguments[2])
        i, j = cgutils.unpack_tuple(builder, arguments[1])  # type: ignore[no-untyped-call]
        row = Row(builder, 1)

        def place(array: Any, first: Any, second: Any, offset: int) -> Any:
            step = builder.extract_value(array.strides, 0)
            down = builder.mul(builder.add(first, LONG(offset)), step)
            return _shifted(builder, builder.bitcast(array.data, BYTES), down, builder.mul(second, LONG(4)))

        lines = _turned(builder, [row.load(place(read, i, j, k))[0] for k in range(WIDTH)])
        for k in range(WIDTH):
            row.store([lines[k]], place(written, j, i, k))
        return context.get_dummy_value()

    return types.void(source, at, out), emit


Floats = NDArray[np.float32]


def _plain_piece(
    a: Floats, b: Floats, out: Floats, at: tuple[int, int], start: Floats, add: bool, vectors: int, tall: int
) -> None:
    m, n = slice(at[0], at[0] + tall), slice(at[1], at[1] + vectors * WIDTH)
    if not add:
        out[m, n] = start[m][: len(a[m]), None]
    for k in range(a.shape[1]):  # not a[m] @ b[:, n], whose sums depend on how many columns there are
        out[m, n] += a[m, k, None] * b[k, n]


def _plain_square(source: Floats, at: tuple[int, int], out: Floats) -> None:
    i, j = slice(at[0], at[0] + WIDTH), slice(at[1], at[1] + WIDTH)
    out[j, i] = source[i, j].T


product_piece = instruction(_product_piece, _plain_piece, prefer_literal=True)
transposed_square = instruction(_transposed_square, _plain_square)
