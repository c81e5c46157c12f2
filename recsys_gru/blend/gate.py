"""The weights of a mixture, by what is known of the session: a softmax regression on foretold clicks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.blend.shares import Shares
from recsys_gru.kernels.gating import likelihood, solve
from recsys_gru.sessions import Sessions

Matrix = NDArray[np.float64]

OF_SESSION = 6
"""Numbers that tell a session's state, the constant among them; one per member follows."""
LEAST = 1e-6
"""The largest share of a member that has nothing to say, and what a share counts as that is below it."""
SILENT = float(np.log(LEAST)) / 4
STEPS = 100
"""Newton's at most; from the weights of an hour ago three or so are enough."""
ENOUGH = 1e-7
"""The part of the loss that a step must promise to be taken."""


@final
@dataclass(frozen=True)
class Gate:
    """Weights of M members in a context of F numbers: softmax(context . coefficients) over those that have
    something to say; of the context the last M numbers tell how sure each of them is.

    Attributes:
        coefficients: (F, M); all zero are equal weights.

    Source: Jacobs, Jordan, Nowlan & Hinton 1991, "Adaptive mixtures of local experts", equations 1.1 and 1.3,
    with experts that are fitted already.

    >>> gate = Gate(np.zeros((3, 2)))
    >>> gate.weights(np.array([[1.0, -0.5, -0.5], [1.0, -0.5, SILENT]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """

    coefficients: Matrix

    @classmethod
    def learned(cls, context: Matrix, foretold: Matrix, strength: float, start: "Gate") -> "Gate":
        """The gate under which clicks were likeliest.

        Args:
            context: (n, F), the first column constant.
            foretold: share that each member gave the click that came, (n, M).
            strength: of the pull towards weights that do not depend on the context (squared coefficients).
            start: where the search begins; it changes how long that takes, not what is found.
        """
        shape = context.shape[1], foretold.shape[1]
        pull = np.full(shape, strength)
        pull[0] = 1e-3  # the constant is as good as free
        likely = foretold + LEAST * LEAST
        slope, curve = np.empty(pull.size), np.empty((pull.size, pull.size))

        def loss(at: Matrix) -> float:
            found = likelihood(context, likely, at, SILENT, slope, curve)
            slope[:] += (2 * pull * at).ravel()
            curve[np.diag_indices(pull.size)] += 2 * pull.ravel()
            return found + float((pull * at**2).sum())

        best, least = start.coefficients, loss(start.coefficients)
        for _ in range(STEPS):
            step = _newton(slope, curve)
            gain, part, step = float(slope @ step), 1.0, step.reshape(shape)
            if not gain > ENOUGH * least:
                break
            while (now := loss(best - part * step)) > least - 1e-4 * part * gain and part > ENOUGH:
                part /= 2
            if not now < least:
                break
            best, least = best - part * step, now
        return cls(best)

    def weights(self, context: Matrix) -> Matrix:
        """The members' weights (n, M), which sum to 1."""
        logits = context @ self.coefficients
        silent = context[:, -logits.shape[1] :] <= SILENT
        if silent.any():
            logits[silent & ~silent.all(axis=1, keepdims=True)] = -np.inf
        weights: Matrix = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return weights


def _newton(slope: Matrix, curve: Matrix) -> Matrix:
    """The step (P,) to take off: Newton's, or a shorter one downhill where the loss is not convex."""
    ridge, lower = 0.0, np.empty_like(curve)
    while not solve(curve, ridge, step := slope.copy(), lower):
        ridge = max(0.1, 10 * ridge)
    return step


def context_of(sessions: Sessions, ends: NDArray[np.int64], shares: Sequence[Shares]) -> Matrix:
    """What the gate looks at (Q, F) for prefixes that end at these events (Q,): a constant, clicks so far and
    whether there is but one, how known the last item is, whether it was clicked before, how many different
    ones were, and how sure each member is.
    """
    first = sessions.firsts(ends)
    again = sessions.repeats
    new = np.concatenate([[0], np.cumsum(~again)])
    known = sessions.vocabulary.support[sessions.items[ends]]
    told = np.empty((len(ends), OF_SESSION + len(shares)))
    told[:, 0] = 1
    told[:, 1] = np.log(ends - first + 1)
    told[:, 2] = ends == first
    told[:, 3] = np.log1p(known) / 4
    told[:, 4] = again[ends]
    told[:, 5] = np.log(new[ends + 1] - new[first])
    told[:, OF_SESSION:] = (np.log(np.maximum([share.largest for share in shares], LEAST)) / 4).T
    return told
