"""How likely a mixture with weights by context makes what came, with slopes and curvature; a Newton step."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.machine.jit import in_order

Matrix = NDArray[np.float64]


@in_order
def likelihood(
    context: Matrix, likely: Matrix, coefficients: Matrix, silent: float, slope: Matrix, curve: Matrix
) -> float:
    """Return the sum over clicks of -log(w . likely), w = softmax(context . coefficients); write its slope
    (F * M,) and its curvature (F * M, F * M) by the coefficients (F, M).

    slope = sum of x (w - r)
    curve = sum of x x' (diag(w) - w w' - diag(r) + r r'), r = w * likely / (w . likely)

    A member whose number among the last M of the context is no more than `silent` has no weight, unless all
    are so. The sums go from click to click, whatever is done beside it.

    Twin: automatic derivatives, tests/kernels/test_gating.py::test_slopes_and_curvature_are_those_of_torch.
    """
    n_numbers, members = coefficients.shape
    pairs, packed = n_numbers * (n_numbers + 1) // 2, np.empty(n_numbers * (n_numbers + 1) // 2)
    sums = np.zeros((members * (members + 1) // 2, pairs))
    loss, weights, posterior = 0.0, np.empty(members), np.empty(members)
    slope[:] = 0
    for click in range(len(context)):
        _weigh(context[click], coefficients, silent, weights)
        total = 0.0
        for m in range(members):
            posterior[m] = weights[m] * likely[click, m]
            total += posterior[m]
        loss -= np.log(total)
        place = 0
        for f in range(n_numbers):
            for g in range(f + 1):
                packed[place] = context[click, f] * context[click, g]
                place += 1
        for m in range(members):
            posterior[m] /= total
            for f in range(n_numbers):
                slope[f * members + m] += context[click, f] * (weights[m] - posterior[m])
        _add_curvature(weights, posterior, packed, sums)
    _unpack(sums, n_numbers, members, curve)
    return loss


@in_order
def _weigh(numbers: Matrix, coefficients: Matrix, silent: float, weights: Matrix) -> None:
    """Write the weights (M,) of the members in a context (F,)."""
    n_numbers, members = coefficients.shape
    all_silent = True
    for m in range(members):
        all_silent &= numbers[n_numbers - members + m] <= silent
    top, total = -np.inf, 0.0
    for m in range(members):
        weights[m] = 0.0
        for f in range(n_numbers):
            weights[m] += numbers[f] * coefficients[f, m]
        if numbers[n_numbers - members + m] <= silent and not all_silent:
            weights[m] = -np.inf
        top = max(top, weights[m])
    for m in range(members):
        weights[m] = np.exp(weights[m] - top)
        total += weights[m]
    for m in range(members):
        weights[m] /= total


@in_order
def _add_curvature(weights: Matrix, posterior: Matrix, packed: Matrix, sums: Matrix) -> None:
    """Add a click's part for each pair of members, times its products of numbers, of each pair too."""
    place = 0
    for a in range(len(weights)):
        for b in range(a + 1):
            part = posterior[a] * posterior[b] - weights[a] * weights[b]
            if a == b:
                part += weights[a] - posterior[a]
            for pair in range(len(packed)):
                sums[place, pair] += part * packed[pair]
            place += 1


@in_order
def _unpack(sums: Matrix, n_numbers: int, members: int, curve: Matrix) -> None:
    """Write the sums by pairs of members and pairs of numbers where coefficients meet."""
    place = 0
    for a in range(members):
        for b in range(a + 1):
            pair = 0
            for f in range(n_numbers):
                for g in range(f + 1):
                    for one, other in ((a, b), (b, a)):
                        curve[f * members + one, g * members + other] = sums[place, pair]
                        curve[g * members + other, f * members + one] = sums[place, pair]
                    pair += 1
            place += 1


@in_order
def solve(matrix: Matrix, ridge: float, right: Matrix, lower: Matrix) -> bool:
    """Solve (matrix + ridge * identity) x = right (n,) in its place, for a symmetric matrix (n, n); False,
    and nothing solved, unless the sum is positive definite. `lower` (n, n) is written on.

    Cholesky's factors, without a library whose bits depend on its threads.

    Twin: NumPy, tests/kernels/test_gating.py::test_a_system_is_solved_where_it_is_positive_definite.
    """
    n = len(right)
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = rest / lower[j, j]
            elif rest + ridge <= 1e-9 * (matrix[i, i] + ridge):
                return False
            else:
                lower[i, i] = np.sqrt(rest + ridge)
    for i in range(n):
        for k in range(i):
            right[i] -= lower[i, k] * right[k]
        right[i] /= lower[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= lower[k, i] * right[k]
        right[i] /= lower[i, i]
    return True
