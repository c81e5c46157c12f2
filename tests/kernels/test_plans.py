"""Windows cut from a plan, against slices told by cumulated sizes."""

from typing import Any

import numpy as np
import pytest

from recsys_gru.kernels.plans import Plan, Sizes, window_of

pytestmark = pytest.mark.kernels


def test_windows_are_cut_one_after_the_other() -> None:
    alive, steps = np.array([3, 2, 2, 1, 1]), np.array([2, 1, 2])
    candidates, rows, keys = np.array([4, 3, 5]), np.array([6, 3, 7]), np.array([2, 0, 3])
    events = np.array([5, 2, 2])
    sizes = {
        "inputs": events, "input_at": events, "target_at": events, "target_log_q": events, "step": events,
        "keep": events, "source": events, "given": np.zeros(3, np.int64), "alive": steps, "keys": keys,
        "rows": rows, "counts": steps * candidates, "weights": steps * candidates,
        "again_at": events, "again": events, "moment": events, "worth": events,
    }  # fmt: skip
    floats = ("target_log_q", "keep", "counts", "weights", "again", "worth")
    arrays: dict[str, Any] = {
        name: np.arange(size.sum()).astype(np.float32 if name in floats else np.int64)
        for name, size in sizes.items()
    }
    arrays["alive"] = alive
    plan, at = Plan(**arrays), np.zeros(5, np.int64)
    for w in range(3):
        window = window_of(plan, Sizes(steps, candidates, rows), w, at, int(keys[w]))
        for name, size in sizes.items():
            begin = int(size[:w].sum())
            expected = arrays[name][begin : begin + int(size[w])]
            np.testing.assert_array_equal(getattr(window, name), expected, err_msg=name)
    assert at.tolist() == [9, 5, 16, int((steps * candidates).sum()), 5]
