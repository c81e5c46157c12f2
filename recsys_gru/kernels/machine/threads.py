"""Sharing the parts of a kernel's work out among threads: those of torch itself, `torch.get_num_threads()`
many.

Threads of our own would fight for the cores with torch's, which wait for work by spinning. torch's OpenMP
library starts a parallel region in two microseconds; where it has none of that name (Windows), kernels use
one thread.
"""

# ruff: noqa: ANN401 - numba's compiler objects have no types
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import torch
from llvmlite import ir
from numba.core import cgutils, types

from recsys_gru.engines import threads_here
from recsys_gru.kernels.machine.jit import instruction

REGION = "GOMP_parallel"
"""Of GNU's OpenMP, and of LLVM's: call a function with an argument on so many threads, and wait for them."""
BYTES, INT, LONG = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)


def _find_region() -> bool:
    """Make torch's OpenMP known to compiled code; whether there is one."""
    libraries = sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*"))
    found = [getattr(ctypes.CDLL(str(library)), REGION, None) for library in libraries]
    regions = [region for region in found if region is not None]
    # where there is none, compiled code is linked to some other function, which it never calls
    region = regions[0] if regions else ctypes.pythonapi.Py_GetVersion
    llvm.add_symbol(REGION, ctypes.cast(region, ctypes.c_void_p).value)
    return bool(regions)


def n_threads() -> int:
    """Return how many threads kernels share their parts out among."""
    return threads_here() if HAS_REGION else 1


def _share_out(typing: Any, body: Any, state: Any, _parts: Any, _threads: Any) -> tuple[Any, Any]:
    """Call body(state, part) for every part, on so many threads; who is free takes the next part."""
    wanted = body.get_call_type(typing, (state, types.int64), {})

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        shared = ir.LiteralStructType([LONG, LONG, arguments[1].type])  # parts taken, parts, state
        place = cgutils.alloca_once(builder, shared)  # type: ignore[no-untyped-call]
        for i, value in enumerate((LONG(0), arguments[2], arguments[1])):
            builder.store(value, builder.gep(place, [INT(0), INT(i)]))
        worker = _worker(context, builder, body.dispatcher.get_compile_result(wanted), wanted, shared)
        argument, count = builder.bitcast(place, BYTES), builder.trunc(arguments[3], INT)
        with builder.if_else(builder.icmp_signed(">", count, INT(1))) as (many, one):
            with many:
                kind = ir.FunctionType(ir.VoidType(), [worker.type, BYTES, INT, INT])
                region = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
                    builder.module, kind, REGION
                )
                builder.call(region, [worker, argument, count, INT(0)])
            with one:
                builder.call(worker, [argument])
        return context.get_dummy_value()

    return types.void(body, state, types.int64, types.int64), emit


def _worker(context: Any, builder: Any, compiled: Any, signature: Any, shared: Any) -> Any:
    """Return a function of what the threads share: it takes parts until none is left, and does them."""
    context.active_code_library.add_linking_library(compiled.library)
    name = f"{compiled.fndesc.mangled_name}.parts.{len(builder.module.functions)}"
    worker = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [BYTES]), name)
    worker.linkage = "internal"
    inner = ir.IRBuilder(worker.append_basic_block())
    given = inner.bitcast(worker.args[0], shared.as_pointer())
    taken, total, state = (inner.gep(given, [INT(0), INT(i)]) for i in range(3))
    total, state = inner.load(total), inner.load(state)
    take, work, end = (worker.append_basic_block() for _ in range(3))
    inner.branch(take)
    inner.position_at_end(take)
    part = inner.atomic_rmw("add", taken, LONG(1), "monotonic")
    inner.cbranch(inner.icmp_signed("<", part, total), work, end)
    inner.position_at_end(work)
    context.call_internal_no_propagate(inner, compiled.fndesc, signature, [state, part])
    inner.branch(take)
    inner.position_at_end(end)
    inner.ret_void()
    return worker


def _one_by_one(body: Callable[..., None], state: tuple[Any, ...], parts: int, _threads: int) -> None:
    """Stand in where kernels run as plain Python."""
    for part in range(parts):
        body(state, part)


HAS_REGION = _find_region()
share_out = instruction(_share_out, _one_by_one)
"""`share_out(body, state, parts, threads)`, callable in a kernel; `state` is a tuple, `body` a kernel that
returns nothing."""
