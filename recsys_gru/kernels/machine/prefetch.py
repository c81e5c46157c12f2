"""The processor's prefetch instruction for kernels: rows picked from a large table arrive while others are
at work."""

# ruff: noqa: ANN401 - numba's compiler objects have no types
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from recsys_gru.kernels.machine.jit import instruction


def _prefetch(_context: Any, table: Any, row: Any, column: Any) -> tuple[Any, Any]:
    """Ask for the cache line that holds table[row, column], without waiting for it."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = cgutils.get_item_pointer(  # type: ignore[no-untyped-call]
            context, builder, signature.args[0], array, list(arguments[1:]), wraparound=False
        )
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        instruction = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        # To read; into the second-level cache, which can wait for more lines than the first-level one: rows
        # from memory came in .6 of the time; data.
        how = [number(0), number(2), number(1)]
        builder.call(instruction, [builder.bitcast(place, byte), *how])
        return context.get_dummy_value()

    return types.void(table, row, column), emit


def _nothing(_table: object, _row: int, _column: int) -> None:
    """Stand in for the instruction where kernels run as plain Python."""


prefetch = instruction(_prefetch, _nothing)
"""`prefetch(table, row, column)`, callable in a kernel."""
