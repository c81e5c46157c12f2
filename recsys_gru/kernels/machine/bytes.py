"""Products of whole numbers of a byte, sixteen sums of four products at a time, where the processor has that
(AVX-512 VNNI): four times as many products as of single precision, from a quarter of the memory.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import instruction

HAS_BYTES = bool(
    llvm.get_host_cpu_features().get("avx512vnni") or numba.config.DISABLE_JIT  # type: ignore[attr-defined]
)
"""Whether this processor has them; plain Python has them everywhere."""
LANES = 16
"""Columns side by side."""
FOUR = 4
"""Products that go into one sum at a time."""
TALL = 8
"""Rows of a piece: their sums fit the registers."""
DOT = "llvm.x86.avx512.vpdpbusd.512"
"""Sixteen sums, to each of which four products are added. LLVM 22 takes vectors of bytes here, and those of
whole numbers, as all before it, too."""

INT, LONG, BYTE, FLOAT = ir.IntType(32), ir.IntType(64), ir.IntType(8), ir.FloatType()
FLOATS = ir.VectorType(FLOAT, LANES)
SUMS = ir.VectorType(INT, LANES)
FIRST = ir.Constant(SUMS, [0] * LANES)
Bytes = NDArray[np.int8]
Floats = NDArray[np.float32]


def _byte_piece(
    _typing: Any,
    rows: Any,
    columns: Any,
    steps: Any,
    factors: Any,
    at: Any,
    limits: Any,
    out: Any,
    above: Any,
) -> tuple[Any, Any]:
    """Set out (TALL, LANES) to (rows @ columns - offsets) * (scales * steps) + starts, of the TALL rows from
    `at` on: rows (T, W) int8, columns (D, LANES, 4) uint8 of four times D numbers, steps (LANES,), and as
    `factors` the offsets (T,) int32, scales (T,) and starts (T,). Set above (TALL,) to a bit for each lane
    whose sum is above its limit (LANES,), and return all these bits together."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, lanes, step, limit, written, told = (
            context.make_array(signature.args[place])(context, builder, arguments[place])
            for place in (0, 1, 2, 5, 6, 7)
        )
        offsets, scales, starts = (
            context.make_array(kind)(context, builder, builder.extract_value(arguments[3], place)).data
            for place, kind in enumerate(signature.args[3])
        )
        places = [builder.add(arguments[4], LONG(i)) for i in range(TALL)]

        def started(array: Any, place: Any) -> Any:
            skipped = builder.mul(place, builder.extract_value(array.strides, 0))
            return builder.gep(builder.bitcast(array.data, BYTE.as_pointer()), [skipped])

        depth = builder.extract_value(lanes.shape, 0)
        sums = summed_beside(
            builder, [started(read, place) for place in places], started(lanes, LONG(0)), depth
        )
        sizes, least = (
            builder.load(builder.bitcast(one.data, FLOATS.as_pointer()), align=4) for one in (step, limit)
        )
        together = INT(0)
        for row, (total, place) in enumerate(zip(sums, places, strict=True)):
            less, scale, start = (
                splat(builder, builder.load(builder.gep(data, [place]))) for data in (offsets, scales, starts)
            )
            whole = builder.sitofp(builder.sub(total, less), FLOATS)
            score = builder.fadd(builder.fmul(whole, builder.fmul(scale, sizes)), start)
            builder.store(score, builder.bitcast(started(written, LONG(row)), FLOATS.as_pointer()), align=4)
            bits = builder.bitcast(builder.fcmp_ordered(">", score, least), ir.IntType(LANES))
            bits = builder.zext(bits, INT)
            builder.store(bits, builder.gep(told.data, [LONG(row)]))
            together = builder.or_(together, bits)
        return together

    return types.int32(rows, columns, steps, factors, at, limits, out, above), emit


def _byte_rows(
    _typing: Any, rows: Any, state: Any, step: Any, factors: Any, at: Any, limit: Any, out: Any
) -> tuple[Any, Any]:
    """Set out (LANES,) to (rows @ state - offsets) * (scales * step) + starts, of the LANES rows from `at`
    on: rows (T, W) int8 and state (W,) uint8, W a multiple of 64; the rest as in `_byte_piece`. Return a bit
    for each row whose sum is above the limit."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, lanes, written = (
            context.make_array(signature.args[place])(context, builder, arguments[place])
            for place in (0, 1, 6)
        )
        offsets, scales, starts = (
            builder.gep(
                context.make_array(kind)(context, builder, builder.extract_value(arguments[3], place)).data,
                [arguments[4]],
            )
            for place, kind in enumerate(signature.args[3])
        )
        stride = builder.extract_value(read.strides, 0)
        begins = [
            builder.gep(read.data, [builder.mul(builder.add(arguments[4], LONG(i)), stride)])
            for i in range(LANES)
        ]
        depth = builder.udiv(builder.extract_value(lanes.shape, 0), LONG(FOUR * LANES))
        sums = _summed_alone(builder, begins, lanes.data, depth)
        less, scale, start = (
            builder.load(builder.bitcast(data, kind.as_pointer()), align=4)
            for data, kind in ((offsets, SUMS), (scales, FLOATS), (starts, FLOATS))
        )
        sizes = builder.fmul(scale, splat(builder, arguments[2]))
        score = builder.fadd(builder.fmul(builder.sitofp(builder.sub(sums, less), FLOATS), sizes), start)
        builder.store(score, builder.bitcast(written.data, FLOATS.as_pointer()), align=4)
        bits = builder.fcmp_ordered(">", score, splat(builder, arguments[5]))
        return builder.zext(builder.bitcast(bits, ir.IntType(LANES)), INT)

    return types.int32(rows, state, step, factors, at, limit, out), emit


def _summed_alone(builder: Any, rows: list[Any], state: Any, depth: Any) -> Any:
    """Return the sums, one for each row, over `depth` times 64 products of its bytes with the state's."""

    def bytes_of(row: Any, k: Any) -> Any:
        place = builder.gep(row, [builder.mul(k, LONG(FOUR * LANES))])
        return builder.load(builder.bitcast(place, SUMS.as_pointer()), align=1)

    width, parts = 1, _summed(builder, rows, state, depth, bytes_of)
    while len(parts) > 1:  # lanes of two vectors are added in pairs, so that half as many vectors remain
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [_paired(builder, left, right, width) for left, right in pairs]
        width *= 2
    return parts[0]


def _paired(builder: Any, left: Any, right: Any, width: int) -> Any:
    """Return sums of neighbouring blocks of so many lanes: those of `left` and `right` by turns."""
    chosen = [
        [lane - width * (lane // width % 2) + (LANES if lane // width % 2 else 0) for lane in range(LANES)]
    ]
    chosen.append([lane + width for lane in chosen[0]])
    one, other = (
        builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INT, LANES), places))
        for places in chosen
    )
    return builder.add(one, other)


def summed_beside(builder: Any, rows: list[Any], columns: Any, depth: Any, dot: str = DOT) -> list[Any]:
    """Return the sums, a lane a column, over `depth` times four bytes of products of each row's numbers with
    the columns'."""

    def four_of(row: Any, k: Any) -> Any:
        four = builder.gep(row, [builder.mul(k, LONG(FOUR))])
        return splat(builder, builder.load(builder.bitcast(four, INT.as_pointer()), align=1))

    return _summed(builder, rows, columns, depth, four_of, dot)


def _summed(
    builder: Any,
    rows: list[Any],
    shared: Any,
    depth: Any,
    vector_of: Callable[[Any, Any], Any],
    added: str = DOT,
) -> list[Any]:
    """Return a vector of sums for each row: of the products of `depth` vectors of 64 bytes that lie at
    `shared`, one after the other, with the row's, which `vector_of` gives for the number of the vector."""
    dot = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(SUMS, [SUMS, SUMS, SUMS]), added
    )
    before, head, body, done = (builder.block, *(builder.append_basic_block() for _ in range(3)))
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.phi(LONG)
    k.add_incoming(LONG(0), before)
    sums = [builder.phi(SUMS) for _ in rows]
    builder.cbranch(builder.icmp_signed("<", k, depth), body, done)
    builder.position_at_end(body)
    place = builder.gep(shared, [builder.mul(k, LONG(FOUR * LANES))])
    factor = builder.load(builder.bitcast(place, SUMS.as_pointer()), align=1)
    for total, row in zip(sums, rows, strict=True):
        total.add_incoming(ir.Constant(SUMS, [0] * LANES), before)
        total.add_incoming(builder.call(dot, [total, factor, vector_of(row, k)]), body)
    k.add_incoming(builder.add(k, LONG(1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    return sums


def splat(builder: Any, value: Any) -> Any:
    """Return a vector that holds the value in every lane."""
    unknown = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    return builder.shuffle_vector(builder.insert_element(unknown, value, INT(0)), unknown, FIRST)


def _plain_piece(
    rows: Bytes,
    columns: NDArray[np.uint8],
    steps: Floats,
    factors: tuple[NDArray[np.int32], Floats, Floats],
    at: int,
    limits: Floats,
    out: Floats,
    above: NDArray[np.int32],
) -> int:
    part = slice(at, at + TALL)
    offsets, scales, starts = (one[part, None] for one in factors)
    turned = columns.transpose(0, 2, 1).reshape(-1, LANES).astype(np.int32)
    whole = rows[part, : len(turned)].astype(np.int32) @ turned - offsets
    out[:] = whole.astype(np.float32) * (scales * steps) + starts
    above[:] = (out > limits) @ (1 << np.arange(LANES))
    return int(np.bitwise_or.reduce(above))


byte_piece = instruction(_byte_piece, _plain_piece)


def _plain_rows(
    rows: Bytes,
    state: NDArray[np.uint8],
    step: np.float32,
    factors: tuple[NDArray[np.int32], Floats, Floats],
    at: int,
    limit: np.float32,
    out: Floats,
) -> int:
    part = slice(at, at + LANES)
    offsets, scales, starts = (one[part] for one in factors)
    whole = rows[part].astype(np.int32) @ state.astype(np.int32) - offsets
    out[:] = whole.astype(np.float32) * (scales * step) + starts
    return int((out > limit) @ (1 << np.arange(LANES)))


byte_rows = instruction(_byte_rows, _plain_rows)
