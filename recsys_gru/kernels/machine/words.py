"""Scores from products of whole numbers of two bytes, compared as they are made, where the processor has that
(AVX-512 VNNI): twice as many products as of single precision.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from recsys_gru.kernels.machine.bytes import BYTE, FLOATS, INT, LANES, LONG, SUMS, TALL, splat, summed_beside
from recsys_gru.kernels.machine.jit import instruction

TWO = 2
"""Products that go into one sum at a time."""
DOT = "llvm.x86.avx512.vpdpwssd.512"

Words = NDArray[np.int16]
Floats = NDArray[np.float32]


def _word_sides(
    _typing: Any, rows: Any, factors: Any, columns: Any, bounds: Any, at: Any, counts: Any, near: Any
) -> tuple[Any, Any]:
    """Compare the scores (rows @ columns) * (scales * steps) + starts of the TALL rows from `at` on with a
    bound for each lane: rows (T, W) int16, columns (D, LANES, 2) int16 of two times D numbers; as `factors`
    the scales, starts, radii and slacks (T,), as `bounds` the bounds, steps and norms (LANES,). A score may
    be off by radii * norms + slacks.

    Add to counts (LANES,) int32 how many scores are surely above the bound, set near (TALL,) int32 to a bit
    for each lane where that cannot be told, and return all these bits together.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def array(kind: Any, value: Any) -> Any:
            return context.make_array(kind)(context, builder, value)

        def arrays(place: int) -> list[Any]:
            kinds = signature.args[place]
            return [
                array(kind, builder.extract_value(arguments[place], i)).data for i, kind in enumerate(kinds)
            ]

        def vector(place: Any, kind: Any = FLOATS) -> Any:
            return builder.load(builder.bitcast(place, kind.as_pointer()), align=4)

        read, lanes, counted, told = (array(signature.args[i], arguments[i]) for i in (0, 2, 5, 6))
        bound, step, norm = map(vector, arrays(3))
        places = [builder.add(arguments[4], LONG(i)) for i in range(TALL)]
        stride, data = builder.extract_value(read.strides, 0), builder.bitcast(read.data, BYTE.as_pointer())
        begins = [builder.gep(data, [builder.mul(place, stride)]) for place in places]
        depth = builder.extract_value(lanes.shape, 0)
        sums = summed_beside(builder, begins, builder.bitcast(lanes.data, BYTE.as_pointer()), depth, DOT)
        total, together, given = vector(counted.data, SUMS), INT(0), arrays(1)
        for row, (whole, place) in enumerate(zip(sums, places, strict=True)):
            scale, start, radius, slack = (
                splat(builder, builder.load(builder.gep(one, [place]))) for one in given
            )
            score = builder.fmul(builder.sitofp(whole, FLOATS), builder.fmul(scale, step))
            distance = builder.fsub(builder.fadd(score, start), bound)
            error = builder.fadd(builder.fmul(radius, norm), slack)
            above = builder.fcmp_ordered(">", distance, error)
            reached = builder.fcmp_ordered(">=", distance, builder.fneg(error))
            total = builder.sub(total, builder.sext(above, SUMS))
            bits = builder.zext(builder.bitcast(builder.xor(reached, above), ir.IntType(LANES)), INT)
            builder.store(bits, builder.gep(told.data, [LONG(row)]))
            together = builder.or_(together, bits)
        builder.store(total, builder.bitcast(counted.data, SUMS.as_pointer()), align=4)
        return together

    return types.int32(rows, factors, columns, bounds, at, counts, near), emit


def _plain_sides(
    rows: Words,
    factors: tuple[Floats, Floats, Floats, Floats],
    columns: Words,
    bounds: tuple[Floats, Floats, Floats],
    at: int,
    counts: NDArray[np.int32],
    near: NDArray[np.int32],
) -> int:
    scale, start, radius, slack = (one[at : at + TALL, None] for one in factors)
    bound, step, norm = bounds
    turned = columns.transpose(0, 2, 1).reshape(-1, LANES).astype(np.int32)
    whole = rows[at : at + TALL, : len(turned)].astype(np.int32) @ turned
    distance = whole.astype(np.float32) * (scale * step) + start - bound
    error = radius * norm + slack
    counts += (distance > error).sum(0, dtype=np.int32)
    near[:] = (np.abs(distance) <= error) @ (1 << np.arange(LANES))
    return int(np.bitwise_or.reduce(near))


word_sides = instruction(_word_sides, _plain_sides)
