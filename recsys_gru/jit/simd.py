"""Three operations on vector registers that kernels call: a register-sized piece of a matrix product, a
transposition, and the products of some rows with one vector.

A compiler does not find these forms from loops. They are spelt out once, as LLVM code for vectors of WIDTH
numbers, and LLVM turns them into whatever the processor has. Source of the form: Goto & van de Geijn 2008,
Anatomy of High-Performance Matrix Multiplication.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
import itertools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

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
UNKNOWN = ir.Constant(VECTOR, ir.Undefined)
FIRST = ir.Constant(LANES, [0] * WIDTH)


def _splat(builder: Any, value: Any, kind: Any = VECTOR) -> Any:
    """Return a vector that holds the value in every place."""
    unknown = ir.Constant(kind, ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(unknown, value, INT(0)), unknown, FIRST)


def _shifted(builder: Any, pointer: Any, *steps: Any) -> Any:
    """Return a pointer so many bytes further."""
    for step in steps:
        pointer = builder.gep(pointer, [step])
    return pointer


def _declared(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Return one of LLVM's own functions."""
    return cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(result, arguments), f"llvm.{name}"
    )


class _Row:
    """WIDTH numbers at a time from a place in memory on; with `left`, the last vector holds so many of
    them."""

    def __init__(self, builder: Any, count: int, left: Any = None) -> None:
        self.builder = builder
        self.count = count
        self.mask = None
        if left is not None:
            places = ir.Constant(LANES, list(range(WIDTH)))
            self.mask = builder.icmp_signed("<", places, _splat(builder, left, LANES))

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
            load = _declared(self.builder, name, VECTOR, place.type, INT, self.mask.type, VECTOR)
            found.append(self.builder.call(load, [place, INT(4), self.mask, ZEROS]))
        return found

    def store(self, values: list[Any], pointer: Any) -> None:
        for i, value in enumerate(values):
            place = self._at(pointer, i)
            if self.mask is None or i < self.count - 1:
                self.builder.store(value, place, align=4)
                continue
            name = f"masked.store.v{WIDTH}f32.p0v{WIDTH}f32"
            store = _declared(self.builder, name, ir.VoidType(), VECTOR, place.type, INT, self.mask.type)
            self.builder.call(store, [value, place, INT(4), self.mask])


def _product_piece(
    _typing: Any, a: Any, b: Any, out: Any, at: Any, start: Any, add: Any, vectors: Any, whole: Any
) -> tuple[Any, Any]:
    """Compute out[m : m + TALL, n : n + vectors * WIDTH] of out = a @ b, all sums in registers.

    `at` is (m, n). The sums start from what `out` holds if `add`, else from start[m]. Rows beyond the last
    one are the last one again; unless `whole`, the last vector ends where `out` does. The order of additions
    is that of k.
    """
    count, masked = vectors.literal_value, not whole.literal_value

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
        left = None
        if masked:
            beyond = builder.sub(width, n)
            left = builder.trunc(builder.sub(beyond, LONG(WIDTH * (count - 1))), INT)
        row = _Row(builder, count, left)

        last, columns = builder.sub(height, LONG(1)), builder.mul(n, LONG(4))
        rows = [builder.add(m, LONG(i)) for i in range(TALL)]
        rows = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in rows]
        a_rows = [_shifted(builder, a_data, builder.mul(i, a_step)) for i in rows]
        out_rows = [_shifted(builder, out_data, builder.mul(i, out_step), columns) for i in rows]
        b_rows = _shifted(builder, b_data, columns)

        with builder.if_else(builder.trunc(arguments[5], ir.IntType(1))) as (adding, starting):
            with adding:
                held = [row.load(pointer) for pointer in out_rows]
                added_in = builder.block
            with starting:
                fresh = [_splat(builder, builder.load(builder.gep(starts.data, [i]))) for i in rows]
                started_in = builder.block
        sums = [[builder.phi(VECTOR) for _ in range(count)] for _ in rows]
        for i, v in itertools.product(range(TALL), range(count)):
            sums[i][v].add_incoming(held[i][v], added_in)
            sums[i][v].add_incoming(fresh[i], started_in)

        before, head, body, done = (builder.block, *(builder.append_basic_block() for _ in range(3)))
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(LONG)
        k.add_incoming(LONG(0), before)
        running = [[builder.phi(VECTOR) for _ in range(count)] for _ in rows]
        builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
        builder.position_at_end(body)
        fma = _declared(builder, f"fma.v{WIDTH}f32", VECTOR, VECTOR, VECTOR, VECTOR)
        b_row = row.load(_shifted(builder, b_rows, builder.mul(k, b_step)))
        along = builder.mul(k, k_step)
        for i in range(TALL):
            place = builder.bitcast(_shifted(builder, a_rows[i], along), FLOAT.as_pointer())
            factor = _splat(builder, builder.load(place))
            for v in range(count):
                running[i][v].add_incoming(sums[i][v], before)
                running[i][v].add_incoming(builder.call(fma, [factor, b_row[v], running[i][v]]), body)
        k.add_incoming(builder.add(k, LONG(1)), body)
        builder.branch(head)
        builder.position_at_end(done)
        for totals, pointer in zip(running, out_rows, strict=True):
            row.store(totals, pointer)
        return context.get_dummy_value()

    return types.void(a, b, out, at, start, add, vectors, whole), emit


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
        row = _Row(builder, 1)

        def place(array: Any, first: Any, second: Any, offset: int) -> Any:
            step = builder.extract_value(array.strides, 0)
            down = builder.mul(builder.add(first, LONG(offset)), step)
            return _shifted(builder, builder.bitcast(array.data, BYTES), down, builder.mul(second, LONG(4)))

        lines = _turned(builder, [row.load(place(read, i, j, k))[0] for k in range(WIDTH)])
        for k in range(WIDTH):
            row.store([lines[k]], place(written, j, i, k))
        return context.get_dummy_value()

    return types.void(source, at, out), emit


def _paired(join: Callable[[Any, Any], Any], values: list[Any]) -> Any:
    """Join WIDTH values two by two, until one is left: no long chain, in which each waits for the one
    before."""
    while len(values) > 1:
        values = [join(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def _dots(_typing: Any, table: Any, first: Any, vector: Any, out: Any, sizes: Any) -> tuple[Any, Any]:
    """Set out[first : first + WIDTH] to those rows of the table (N, D) times the vector (D,).

    Each of the `sizes` (WIDTH,) becomes the largest of itself and the sizes of some of the rows' numbers,
    each number in one place. Rows are read one after the other, as the processor foresees it, but no sum
    waits for that of another row: only at the end are all of them added up across their vectors, together.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, factors, products, largest = (
            context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 3, 4)
        )
        row_step, width = builder.extract_value(rows.strides, 0), builder.extract_value(rows.shape, 1)
        left = builder.and_(width, LONG(WIDTH - 1))
        end = builder.sub(width, left)
        whole, part = _Row(builder, 1), _Row(builder, 1, builder.trunc(left, INT))
        fma = _declared(builder, f"fma.v{WIDTH}f32", VECTOR, VECTOR, VECTOR, VECTOR)
        size_of = _declared(builder, f"fabs.v{WIDTH}f32", VECTOR, VECTOR)

        def larger(a: Any, b: Any) -> Any:
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        def with_next(row: _Row, line: Any, at: Any, total: Any, size: Any) -> tuple[Any, Any]:
            step = builder.mul(at, LONG(4))
            (numbers,) = row.load(_shifted(builder, line, step))
            (factor,) = row.load(_shifted(builder, builder.bitcast(factors.data, BYTES), step))
            grown = larger(builder.call(size_of, [numbers]), size)
            return builder.call(fma, [numbers, factor, total]), grown

        begin = _shifted(builder, builder.bitcast(rows.data, BYTES), builder.mul(arguments[1], row_step))
        sums = cgutils.alloca_once(builder, VECTOR, size=WIDTH)  # type: ignore[no-untyped-call]
        place = builder.bitcast(largest.data, BYTES)
        # a loop, not WIDTH copies of it: what the processor foresees, it foresees for each instruction
        with cgutils.for_range(builder, LONG(WIDTH)) as loop:
            line = _shifted(builder, begin, builder.mul(row_step, loop.index))
            before, head, body, done = (builder.block, *(builder.append_basic_block() for _ in range(3)))
            builder.branch(head)
            builder.position_at_end(head)
            at, total, size = builder.phi(LONG), builder.phi(VECTOR), builder.phi(VECTOR)
            for value, start in ((at, LONG(0)), (total, ZEROS), (size, ZEROS)):
                value.add_incoming(start, before)
            builder.cbranch(builder.icmp_signed("<", at, end), body, done)
            builder.position_at_end(body)
            further = builder.add(at, LONG(WIDTH)), *with_next(whole, line, at, total, size)
            for value, following in zip((at, total, size), further, strict=True):
                value.add_incoming(following, body)
            builder.branch(head)
            builder.position_at_end(done)
            total, size = with_next(part, line, end, total, size)
            builder.store(total, builder.gep(sums, [loop.index]))
            (known,) = whole.load(place)
            whole.store([larger(known, size)], place)
        found = [builder.load(builder.gep(sums, [LONG(k)])) for k in range(WIDTH)]
        total = _paired(builder.fadd, _turned(builder, found))
        to = _shifted(builder, builder.bitcast(products.data, BYTES), builder.mul(arguments[1], LONG(4)))
        whole.store([total], to)
        return context.get_dummy_value()

    return types.void(table, first, vector, out, sizes), emit


Floats = NDArray[np.float32]


def _plain_piece(
    a: Floats, b: Floats, out: Floats, at: tuple[int, int], start: Floats, add: bool, *how: Any
) -> None:
    m, n = slice(at[0], at[0] + TALL), slice(at[1], at[1] + how[0] * WIDTH)
    out[m, n] = a[m] @ b[:, n] + (out[m, n] if add else start[m][: len(a[m]), None])


def _plain_square(source: Floats, at: tuple[int, int], out: Floats) -> None:
    i, j = slice(at[0], at[0] + WIDTH), slice(at[1], at[1] + WIDTH)
    out[j, i] = source[i, j].T


def _plain_dots(table: Floats, first: int, vector: Floats, out: Floats, sizes: Floats) -> None:
    rows = table[first : first + WIDTH]
    out[first : first + WIDTH] = rows @ vector
    sizes[:] = np.maximum(sizes, np.abs(rows).max())


without_jit: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
product_piece: Callable[..., None] = (
    _plain_piece if without_jit else intrinsic(prefer_literal=True)(_product_piece)
)
transposed_square: Callable[..., None] = _plain_square if without_jit else intrinsic(_transposed_square)
dots: Callable[..., None] = _plain_dots if without_jit else intrinsic(_dots)
