"""What is added to the scores of items that a session has just clicked: r_d where it was d clicks before."""

from recsys_gru.kernels.arrays import Floats, Items
from recsys_gru.kernels.machine.jit import in_order


@in_order
def add_repeats(scores: Floats, at: Items, numbers: Floats) -> None:
    """Add numbers (R,) to the scores (U, P) of the columns of each row's last clicks (P, R), -1 for none.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    for i in range(len(at)):
        for d in range(len(numbers)):
            if at[i, d] >= 0:
                scores[at[i, d], i] += numbers[d]


@in_order
def of_repeats(gradient: Floats, at: Items, targets: Items, out: Floats) -> None:
    """Fill the gradient of what `add_repeats` adds (R,), given that of the scores (U, P), and take that of
    last clicks that are not their row's target (P,) out of it.

    Twin: torch, tests/kernels/test_repeats.py::test_last_clicks_are_raised_and_learned_from.
    """
    out[:] = 0
    for i in range(len(at)):
        for d in range(len(out)):
            if at[i, d] >= 0:
                out[d] += gradient[at[i, d], i]
                if at[i, d] != targets[i]:
                    gradient[at[i, d], i] = 0
