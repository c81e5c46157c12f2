"""Sessions that began before what is to be learned: their new part, and the states that it goes on from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import spread
from recsys_gru.model.network import Network, States
from recsys_gru.model.walk import Flow, Given
from recsys_gru.training.lanes import Window

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Context:
    """What goes before the learned part of C sessions: events that are read and not learned.

    `heads` (C,), ascending, is where each of these sessions begins among the learned events; its earlier
    ones are `items[offsets[c]:offsets[c + 1]]`.
    """

    heads: Ints
    items: NDArray[np.int32]
    offsets: Ints

    def fill(self, recent: Ints, walked: Ints, heads: Ints) -> None:
        """Put the items before sessions' heads (Q,) into their last clicks (Q, K), of which so many (Q,) were
        walked."""
        of_session = np.minimum(np.searchsorted(self.heads, heads), len(self.heads) - 1)
        back = walked[:, None] - 1 - np.arange(recent.shape[1])  # -1: the last one of the context
        places = self.offsets[of_session + 1][:, None] + back
        known = self.heads[of_session] == heads
        there = known[:, None] & (back < 0) & (places >= self.offsets[of_session][:, None])
        recent[there] = self.items[places[there]]

    def read(self, network: Network) -> "Begun":
        """The states that a network has after these events, without dropout."""
        lengths = np.diff(self.offsets)
        order = np.argsort(-lengths, kind="stable")  # lanes that end leave from the end
        begins, lengths = self.offsets[:-1][order], lengths[order]
        states = network.zero_states(len(order))
        ended: list[States] = []
        for step in range(int(lengths[0])):
            alive = int((lengths > step).sum())
            items = torch.from_numpy(self.items[begins[:alive] + step].astype(np.int64)).to(network.device)
            flow = Flow([alive], states[0].new_ones(alive, 1), torch.arange(alive, device=network.device))
            _, states, _ = network.forward(network.input_rows(items), flow, [s[:alive] for s in states])
            left = int((lengths > step + 1).sum())
            ended.insert(0, [state[left:] for state in states])
            states = [state[:left] for state in states]
        back = torch.from_numpy(np.argsort(order)).to(network.device)
        return Begun(self.heads, [torch.cat(layer)[back] for layer in zip(*ended, strict=True)])


class Begun(NamedTuple):
    """The states, (C, H) of each layer, that the sessions which begin at `heads` (C,) go on from."""

    heads: Ints
    states: States

    def where(self, window: Window) -> tuple[Ints, Ints]:
        """Which lane-steps of a window go on from a given state, (Q,), and from which, (Q,)."""
        fresh = np.flatnonzero(window.fresh)
        found = np.searchsorted(self.heads, window.at[fresh])
        hit = self.heads[np.minimum(found, len(self.heads) - 1)] == window.at[fresh]
        return fresh[hit], found[hit]

    def given(self, window: Window) -> Given:
        """The same for a network's walk."""
        places, which = (torch.from_numpy(part).to(self.states[0].device) for part in self.where(window))
        return Given(places, [state[which] for state in self.states])


def learned_part(
    items: NDArray[np.int32], offsets: Ints, counted: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], Ints, Context | None]:
    """The events that the counted ones (E,), the later of each session, are learned from and as.

    Returns:
        items and offsets of as many sessions, each from the event before its first counted one on, and what
        goes before these.

    >>> items, offsets, context = learned_part(np.arange(5, dtype=np.int32), np.array([0, 4, 5]),
    ...                                        np.array([False, False, True, True, False]))
    >>> items.tolist(), offsets.tolist(), context.items.tolist()
    ([1, 2, 3], [0, 3, 3], [0])
    """
    before = np.concatenate([[0], np.cumsum(counted)])
    new = before[offsets[1:]] - before[offsets[:-1]]  # (n,)
    begins = np.where(new > 0, np.maximum(offsets[1:] - new - 1, offsets[:-1]), offsets[1:])
    lengths = offsets[1:] - begins
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    early = np.flatnonzero((new > 0) & (begins > offsets[:-1]))
    learned = items[spread(begins, lengths)]
    if not len(early):
        return learned, bounds, None
    sizes = (begins - offsets[:-1])[early]
    read = items[spread(offsets[:-1][early], sizes)]
    return learned, bounds, Context(bounds[:-1][early], read, np.concatenate([[0], np.cumsum(sizes)]))
