"""Slopes and curvature of a mixture's likelihood against automatic differentiation; systems against NumPy."""

import numpy as np
import pytest
import torch

from recsys_gru.kernels.gating import likelihood, solve

pytestmark = pytest.mark.kernels
SILENT = -3.0


def test_slopes_and_curvature_are_those_of_torch() -> None:
    rng = np.random.default_rng(1)
    context, likely, coefficients = rng.normal(size=(9, 5)), rng.random((9, 3)), rng.normal(size=(5, 3))
    context[2:5, 2] = context[4, 3] = context[6, 2:] = SILENT

    def loss(at: torch.Tensor) -> torch.Tensor:
        logits = torch.tensor(context) @ at
        silent = torch.tensor(context[:, 2:] <= SILENT)
        logits = logits.masked_fill(silent & ~silent.all(1, keepdim=True), -torch.inf)
        return -torch.log((torch.softmax(logits, 1) * torch.tensor(likely)).sum(1)).sum()

    start = torch.tensor(coefficients)
    slope, curve = np.empty(15), np.empty((15, 15))
    found = likelihood(context, likely, coefficients, SILENT, slope, curve)
    assert found == pytest.approx(float(loss(start)))
    derivatives = torch.autograd.functional
    for value, derivative in ((slope, derivatives.jacobian), (curve, derivatives.hessian)):
        expected = derivative(loss, start).reshape(value.shape).numpy()  # type: ignore[no-untyped-call]
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-12)


def test_a_system_is_solved_where_it_is_positive_definite() -> None:
    rng = np.random.default_rng(2)
    root, right = rng.normal(size=(7, 7)), rng.normal(size=7)
    matrix, lower = root @ root.T, np.empty((7, 7))
    for ridge in (0.0, 2.5):
        found = right.copy()
        assert solve(matrix, ridge, found, lower)
        np.testing.assert_allclose(found, np.linalg.solve(matrix + ridge * np.eye(7), right), rtol=1e-8)
    bent, least = matrix - 5 * np.eye(7), np.linalg.eigvalsh(matrix)[0]
    found = right.copy()
    assert not solve(bent, 0.0, found, lower)
    assert (found == right).all()
    assert solve(bent, 5.1 - least, right.copy(), lower)
    assert not solve(bent, 4.9 - least, right.copy(), lower)
