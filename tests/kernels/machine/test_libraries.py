"""Machine code runs its own copy of what it calls."""

from typing import Any

import numba
import numpy as np
from llvmlite.binding import Linkage

from recsys_gru.kernels import products
from recsys_gru.kernels.machine.libraries import Compiler

SEEN = {Linkage.external, Linkage.internal, Linkage.private}


def test_no_other_code_can_stand_in_for_what_a_loop_calls() -> None:
    once = np.ones((8, 4), np.float32)
    kept: Any = products.product
    product: Any = numba.njit(pipeline_class=Compiler)(kept.py_func)
    product(once, once.T.copy(), np.empty((8, 8), np.float32), np.zeros(8, np.float32))
    code = next(iter(product.overloads.values())).library
    linkage = {function.name: function.linkage for function in code.get_defined_functions()}
    assert any("_piece" in name for name in linkage)
    assert set(linkage.values()) <= SEEN
