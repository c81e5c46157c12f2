"""Machine code that is whole in itself: a kernel calls its own copies, whatever else is loaded."""

from typing import Any

from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class Whole(JITCodeLibrary):
    """The machine code of a kernel, in which what it calls cannot be seen from outside.

    numba links all that a kernel calls into its code, under names that other code shares, and of several
    copies the process runs the one that came first. Copies that were optimized in different company differ in
    the order of floating-point sums, and so in bits: a first run, which compiles, would learn other weights
    than the next one.
    """

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()  # type: ignore[no-untyped-call]
        self._shared_module = self._final_module.clone()  # what callers are given, each callee once
        _relink(self._shared_module, Linkage.external, Linkage.linkonce_odr)
        _relink(self._final_module, Linkage.linkonce_odr, Linkage.internal)


def _relink(module: Any, before: Linkage, after: Linkage) -> None:  # noqa: ANN401 - llvmlite has no types
    for function in module.functions:
        if not function.is_declaration and function.linkage == before:
            function.linkage = after


@register_pass(mutates_CFG=False, analysis_only=False)  # type: ignore[no-untyped-call]
class _MakeWhole(LoweringPass):
    _name = "make_whole"

    def __init__(self) -> None:
        LoweringPass.__init__(self)  # type: ignore[no-untyped-call]

    def run_pass(self, state: Any) -> bool:  # noqa: ANN401 - numba's objects have no types
        state.library = Whole(state.targetctx.codegen(), state.func_id.func_qualname)  # type: ignore[no-untyped-call]
        state.library.enable_object_caching()
        return True


class Compiler(CompilerBase):
    """numba's own steps, for code that is whole."""

    def define_pipelines(self) -> list[PassManager]:
        """The steps."""
        builder: Any = DefaultPassBuilder
        steps = builder.define_nopython_pipeline(self.state)
        before = [made for made, _ in steps.passes]
        steps.add_pass_after(_MakeWhole, before[before.index(NativeLowering) - 1])
        steps.finalize()
        return [steps]
