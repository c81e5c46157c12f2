"""Scores of sessions that were begun before: only the clicks since then are walked.

What has been made of a session's clicks are the states of all layers, in single precision. Looking back,
repeats and what is known about the moment of the last click need its items only.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.contract import Begun
from recsys_gru.engines import at_most
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.model.network import Network, States
from recsys_gru.ranking import Block
from recsys_gru.recommender.scoring import Ints, block_of
from recsys_gru.sessions import Sessions


def block_after(
    network: Network, sessions: Sessions, begun: Sequence[Begun | None], moment: Ints | None
) -> tuple[Block, list[Begun | None]]:
    """The scores after the last event of each non-empty session, and how far its network has come."""
    lengths = sessions.lengths  # (S,)
    steps = lengths - np.array([0 if one is None else one.clicks for one in begun])
    chosen = np.flatnonzero(lengths)
    if len(chosen) > 1:
        chosen = chosen[np.argsort(-steps[chosen], kind="stable")]  # (Q,)
    ends, steps, owners = sessions.offsets[1:][chosen] - 1, steps[chosen], chosen.tolist()
    asked = [begun[session] for session in owners]
    with at_most(1 if len(ends) == 1 else n_threads()):
        hidden, after = _walk(network, sessions.items, ends, steps, _unpacked(network, asked))
        block = block_of(network, sessions, ends, hidden, moment)
    packed = after[0].numpy() if len(after) == 1 else torch.cat(after, 1).numpy()  # (Q, W)
    found = [
        None if one is None else Begun(length, row.tobytes())
        for one, length, row in zip(asked, lengths[chosen].tolist(), packed, strict=True)
    ]
    return block, found


def _walk(
    network: Network, items: NDArray[np.int32], ends: Ints, steps: Ints, before: States
) -> tuple[Tensor, States]:
    """What the network gives after some events (Q,), of descending steps since sessions had these states, and
    the states after them."""
    walking, last = int(np.count_nonzero(steps)), None
    if not walking:
        return network.cells[-1].output(before[-1]), before
    if steps[0] == 1:  # a click each, as a rule
        at, alive = ends[:walking], np.array([walking])
    else:
        alive = (steps[:, None] > np.arange(steps[0])).sum(0)  # (T,)
        begins = np.cumsum(alive) - alive
        step = np.repeat(np.arange(len(alive)), alive)  # (P,)
        at = (ends - steps + 1)[np.arange(len(step)) - begins[step]] + step
        last = torch.from_numpy(begins[steps[:walking] - 1] + np.arange(walking))
    rows = network.input_rows(torch.from_numpy(items[at].astype(np.int64)))
    _, after = network.run(rows, alive.tolist(), [layer[:walking] for layer in before])
    if last is not None:
        after = [layer[last] for layer in after]
    if walking < len(steps):
        after = [torch.cat((layer, old[walking:])) for layer, old in zip(after, before, strict=True)]
    return network.cells[-1].output(after[-1]), after


def _unpacked(network: Network, begun: Sequence[Begun | None]) -> States:
    """The states of each layer (Q, states * H); zeros where there is nothing yet."""
    widths = [cell.states * cell.units for cell in network.cells]
    nothing = bytes(4 * sum(widths))
    states = [nothing if one is None else one.state or nothing for one in begun]
    packed = torch.frombuffer(bytearray().join(states), dtype=torch.float32).view(len(states), -1)
    return [packed] if len(widths) == 1 else [layer.contiguous() for layer in torch.split(packed, widths, 1)]
