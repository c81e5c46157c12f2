"""The gate against slow ways to find the same weights."""

import numpy as np
import pytest
from scipy.optimize import minimize

from recsys_gru.blend.gate import SILENT, Gate, context_of
from recsys_gru.blend.shares import DenseShares
from recsys_gru.contract.toy import clicks_of
from recsys_gru.sessions import Sessions


def flat(members: int, numbers: int = 1) -> Gate:
    return Gate(np.zeros((numbers + members, members)))


def sure(context: np.ndarray, members: int) -> np.ndarray:
    """The context of members that are all equally sure."""
    return np.concatenate([context, np.full((len(context), members), -0.5)], axis=1)


def test_without_a_context_the_weights_are_those_of_deleted_interpolation() -> None:
    foretold = np.random.default_rng(1).dirichlet((1, 1, 3), 400) ** 2
    weights = np.full(3, 1 / 3)
    for _ in range(3000):  # expectation and maximisation
        joint = foretold * weights
        weights = (joint / joint.sum(1, keepdims=True)).mean(0)
    gate = Gate.learned(sure(np.ones((400, 1)), 3), foretold, 3.0, flat(3))
    np.testing.assert_allclose(gate.weights(sure(np.ones((1, 1)), 3))[0], weights, atol=2e-3)


def test_who_has_nothing_to_say_has_no_weight() -> None:
    context = sure(np.ones((3, 1)), 2)
    context[0, 1], context[2, 1:] = SILENT, SILENT
    assert Gate(np.ones((3, 2))).weights(context).tolist() == [[0, 1], [0.5, 0.5], [0.5, 0.5]]


def test_weights_follow_the_context() -> None:
    rng = np.random.default_rng(2)
    long = rng.random(600) < 0.5
    foretold = np.where(np.stack([long, ~long], 1), 0.5, 0.01)
    context = sure(np.stack([np.ones(600), long], 1).astype(np.float64), 2)
    gate = Gate.learned(context, foretold, 1.0, flat(2, 2))
    found = gate.weights(sure(np.array([[1.0, 1.0], [1.0, 0.0]]), 2))
    assert found[0, 0] > 0.9
    assert found[1, 1] > 0.9


def test_a_strong_pull_leaves_one_weight_for_all() -> None:
    rng = np.random.default_rng(2)
    long = rng.random(600) < 0.5
    foretold = np.where(np.stack([long, ~long], 1), 0.5, 0.01)
    context = sure(np.stack([np.ones(600), long], 1).astype(np.float64), 2)
    found = Gate.learned(context, foretold, 1e6, flat(2, 2)).weights(
        sure(np.array([[1.0, 1.0], [1.0, 0.0]]), 2)
    )
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_where_the_search_begins_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    context = sure(np.c_[np.ones(300), rng.normal(size=(300, 3))], 2)
    foretold = rng.dirichlet((1, 2), 300)
    far = Gate(rng.normal(size=(6, 2)) * 3)
    near, other = (
        Gate.learned(context, foretold, 2.0, start).weights(context) for start in (flat(2, 4), far)
    )
    np.testing.assert_allclose(near, other, atol=1e-3)


def test_it_goes_as_far_down_as_another_search() -> None:
    rng = np.random.default_rng(4)
    context = sure(np.c_[np.ones(500), rng.normal(size=(500, 2))], 3)
    context[rng.random(500) < 0.2, 4] = SILENT
    foretold = rng.dirichlet((1, 1, 2), 500) ** 3  # far from convex
    pull = np.array([[1e-3], *5 * [[0.5]]])

    def loss(flat: np.ndarray) -> float:
        at = flat.reshape(6, 3)
        given = (Gate(at).weights(context) * foretold).sum(1)
        return float((pull * at**2).sum() - np.log(given).sum())

    for start in (np.zeros((6, 3)), rng.normal(size=(6, 3)) * 2):
        found = Gate.learned(context, foretold, 0.5, Gate(start)).coefficients
        assert loss(found) <= minimize(loss, start.ravel(), method="L-BFGS-B").fun + 1e-3


def test_a_context_is_what_a_plain_loop_sees() -> None:
    sessions = Sessions.from_events(clicks_of("abab", "cb", "aac"))
    shares = [DenseShares(np.array(6 * [[1, 2, 1]], np.float32), logits=False, temperature=1.0)]
    ends = np.array([0, 1, 2, 4, 6, 7])
    found = context_of(sessions, ends, shares)
    for row, end in zip(found, ends, strict=True):
        first = max(start for start in sessions.offsets[:-1] if start <= end)
        prefix = sessions.items[first : end + 1].tolist()
        support = sessions.vocabulary.support[prefix[-1]]
        expected = [1, np.log(len(prefix)), len(prefix) == 1, np.log1p(support) / 4]
        expected += [prefix[-1] in prefix[:-1], np.log(len(set(prefix))), np.log(0.5) / 4]
        np.testing.assert_allclose(row, np.array(expected, np.float64), rtol=1e-6)
