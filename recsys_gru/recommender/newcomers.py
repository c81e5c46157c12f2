"""Items without a click, foretold: what a regression on facts says of the rows that clicked items came to, at
the level that items held out of it had needed.

The rows of facts that training leaves say what own rows left unsaid, and no bias was ever learned for an
item without one. Source: Gantner, Drumond, Freudenthaler, Rendle & Schmidt-Thieme 2010, "Learning
attribute-to-feature mappings for cold-start recommendations"; the level is ours.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import brentq
from scipy.special import expit, logsumexp
from torch import Tensor

from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.recommender.scoring import network_blocks
from recsys_gru.sessions import Sessions

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
HELD_OUT = 10
"""One in so many clicked items is foretold from the others, to see how well that goes."""
PENALTY = 1.0
"""Of ridge regression: each label counts as if it had been seen once more, on an item with a row of zeros."""
CLICKS, SCORES = 2_000, 1 << 29
"""Clicks that the level is found by, and the most scores that are looked at for it."""
AT_ONCE = 1 << 22
"""Scores that are held at once."""
FARTHEST = 1e4
"""A level beyond the odds of any scores."""
STEPS, CLOSE = 100, 1e-8
"""Of conjugate gradients: the most, and what is left of the squared error at the end."""


class Told(NamedTuple):
    """Facts as the columns of a regression: labels (N, L) and numbers (N, V)."""

    labels: sparse.csr_array
    numbers: Doubles

    @classmethod
    def of(cls, facts: Facts, n_labels: int) -> "Told":
        """All that is known."""
        parts = facts.weights.astype(np.float64), facts.labels, facts.offsets
        labels = sparse.csr_array(parts, shape=(len(facts.numbers), n_labels))
        return cls(labels, facts.numbers.astype(np.float64))

    def some(self, items: Ints) -> "Told":
        """Of some items."""
        return Told(self.labels[items], self.numbers[items])

    def times(self, rows: Doubles) -> Doubles:
        """What the rows of labels and numbers (L + V, D) say of each item (N, D)."""
        n_labels = self.labels.shape[1]
        said: Doubles = self.labels @ rows[:n_labels] + self.numbers @ rows[n_labels:]
        return said

    def back(self, of_items: Doubles) -> Doubles:
        """The sums (L + V, D) of what items (N, D) have, by label and number."""
        return np.concatenate([self.labels.T @ of_items, self.numbers.T @ of_items])

    def regression(self, rows: Doubles, support: Ints) -> Doubles:
        """The rows of labels and numbers (L + V, D) that tell best of the items' rows (N, D), by ridge
        regression with weights that go as the roots of the items' clicks, found by conjugate gradients.

        >>> told = Told(sparse.csr_array(np.eye(2)), np.zeros((2, 0)))
        >>> told.regression(np.array([[2.0], [4.0]]), np.array([7, 7])).tolist()
        [[1.0], [2.0]]
        """
        roots = np.sqrt(support)[:, None]
        weight = roots / roots.mean()
        squares = Told(self.labels.power(2), self.numbers**2).back(weight) + PENALTY
        left = self.back(weight * rows)
        found, way = np.zeros_like(left), left / squares
        far = begun = (left * way).sum(axis=0)
        for _ in range(STEPS):
            bent = self.back(weight * self.times(way)) + PENALTY * way
            step = _share(far, (way * bent).sum(axis=0))
            found, left = found + step * way, left - step * bent
            before, far = far, (left * (left / squares)).sum(axis=0)
            if (far <= CLOSE * begun).all():
                break
            way = left / squares + _share(far, before) * way
        return found


def foretell_new(
    network: Network, support: Ints, judged: Sessions, moment: Ints | None, boost: float, seed: int
) -> None:
    """Let facts say of every item what regression foretells; the rows of clicked ones (by `support`) stay
    what they were, as their own take what is left. Items without a click get no row of their own, and the
    bias that held-out items needed in `judged` sessions, with `boost` added."""
    if network.facts is None:
        return
    n_labels = len(network.added["output.labels"])
    told, clicked = Told.of(network.facts, n_labels), np.flatnonzero(support > 0)
    order = np.random.default_rng(seed).permutation(clicked)
    held, rest = np.split(order, [max(1, len(order) // HELD_OUT)])
    trial = network.of_tables(_as_if_new(network, told, support, held, rest))
    level = _level_of(trial, held, rest, judged, moment)
    for name in _tables_of_rows(network):
        rows = _doubles(network.rows(name))
        found = told.some(clicked).regression(rows[clicked], support[clicked])
        own = np.zeros_like(rows)
        own[clicked] = rows[clicked] - told.some(clicked).times(found)
        network.tables[name].copy_(torch.from_numpy(own))
        network.added[f"{name}.labels"].copy_(torch.from_numpy(found[:n_labels]))
        network.added[f"{name}.projection"].copy_(torch.from_numpy(found[n_labels:]))
    network.level = float(np.float32(level + boost))
    network.tables["bias"][torch.from_numpy(np.flatnonzero(support == 0))] = network.level


def some_clicks(sessions: Sessions, seed: int) -> Sessions:
    """Sessions drawn at random, of about as many clicks as the level is found by."""
    most = max(min(CLICKS, SCORES // len(sessions.vocabulary)), 1)
    order = np.random.default_rng(seed).permutation(sessions.n_sessions)
    count = np.searchsorted(np.cumsum(sessions.lengths[order]), most) + 1
    return sessions.part(np.sort(order[:count]))


def _as_if_new(network: Network, told: Told, support: Ints, held: Ints, rest: Ints) -> dict[str, Tensor]:
    """The tables of items of which the held-out ones have what the rest foretells, and no bias."""
    places = torch.from_numpy(held)
    trial = {"bias": network.tables["bias"].clone()}
    trial["bias"][places] = 0
    for name in _tables_of_rows(network):
        rows = network.rows(name)
        found = told.some(rest).regression(_doubles(rows)[rest], support[rest])
        trial[name] = rows.clone()
        trial[name][places] = torch.from_numpy(told.some(held).times(found)).to(rows)
    return trial


def _level_of(trial: Network, held: Ints, rest: Ints, judged: Sessions, moment: Ints | None) -> float:
    """The bias of held-out items with which as many clicks on them are expected as came, if scores are
    logits."""
    n_items = trial.architecture.n_items
    is_held = np.zeros(n_items, np.bool_)
    is_held[held] = True
    ahead, came = [np.empty(0)], [np.empty(0, np.bool_)]
    for block in network_blocks(trial, judged, True, max(1, AT_ONCE // n_items), moment):
        scores = block.tile(0, n_items).astype(np.float64)
        ahead.append(logsumexp(scores[:, held], axis=1) - logsumexp(scores[:, rest], axis=1))
        came.append(is_held[judged.items[block.rows + 1]])
    odds, hits = np.concatenate(ahead), np.concatenate(came)
    wanted = float(np.clip(hits.sum(), 0.5, len(hits) - 0.5))
    return float(brentq(lambda level: expit(odds + level).sum() - wanted, -FARTHEST, FARTHEST))


def _tables_of_rows(network: Network) -> list[str]:
    return [name for name in network.tables if name != "bias"]


def _doubles(rows: Tensor) -> Doubles:
    return rows.cpu().numpy().astype(np.float64)


def _share(of: Doubles, whole: Doubles) -> Doubles:
    """A share, 0 of nothing."""
    return np.divide(of, whole, out=np.zeros_like(of), where=whole > 0)
