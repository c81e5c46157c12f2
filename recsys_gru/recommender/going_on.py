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
from recsys_gru.kernels.machine.threads import at_most, n_threads
from recsys_gru.model.network import Network, States
from recsys_gru.ranking import Block
from recsys_gru.recommender.scoring import Ints, block_of
from recsys_gru.sessions import Sessions


def block_after(
    network: Network, sessions: Sessions, begun: Sequence[Begun | None], moment: Ints | None
) -> tuple[Block, list[Begun | None]]:
    """The scores after the last event of each non-empty session, and how far its network has come."""
    known = [Begun() if one is None else one for one in begun]
    steps = sessions.lengths - np.array([one.clicks for one in known])  # (S,)
    chosen = np.flatnonzero(sessions.lengths)
    chosen = chosen[np.argsort(-steps[chosen], kind="stable")]  # (Q,)
    with at_most(1 if len(chosen) == 1 else n_threads()):
        before = _unpacked(network, [known[session].state for session in chosen])
        hidden, after = _walk(network, sessions, chosen, steps[chosen], before)
        ends = sessions.offsets[1:][chosen] - 1
        block = block_of(network, sessions, ends, hidden, moment)
    packed = np.concatenate([layer.numpy() for layer in after], axis=1)  # (Q, W)
    lengths = sessions.lengths.tolist()
    found = [
        None if begun[session] is None else Begun(lengths[session], row.tobytes())
        for session, row in zip(chosen.tolist(), packed, strict=True)
    ]
    return block, found


def _walk(
    network: Network, sessions: Sessions, chosen: Ints, steps: Ints, before: States
) -> tuple[Tensor, States]:
    """What the network gives after the last events of some sessions (Q, H), of descending steps since they
    had these states, and the states after them."""
    walking = int(np.count_nonzero(steps))
    if not walking:
        return network.cells[-1].output(before[-1]), before
    alive = (steps[:, None] > np.arange(steps[0])).sum(0)  # (T,)
    sums = np.cumsum(alive)
    step = np.repeat(np.arange(len(alive)), alive)  # (P,)
    lane = np.arange(len(step)) - (sums - alive)[step]
    items = sessions.items[(sessions.offsets[1:][chosen] - steps)[lane] + step]
    rows = network.input_rows(torch.from_numpy(items.astype(np.int64)))
    _, after = network.run(rows, alive.tolist(), [layer[:walking] for layer in before])
    last = torch.from_numpy((sums - alive)[steps[:walking] - 1] + np.arange(walking))
    after = [torch.cat((layer[last], old[walking:])) for layer, old in zip(after, before, strict=True)]
    return network.cells[-1].output(after[-1]), after


def _unpacked(network: Network, states: list[bytes]) -> States:
    """The states of each layer (Q, states * H); zeros where there is nothing yet."""
    widths = [cell.states * cell.units for cell in network.cells]
    nothing = bytes(4 * sum(widths))
    packed: NDArray[np.float32] = np.frombuffer(
        bytearray().join(state or nothing for state in states), dtype=np.float32
    ).reshape(len(states), -1)
    layers = np.split(packed, np.cumsum(widths[:-1]), axis=1) if len(widths) > 1 else [packed]
    return [torch.from_numpy(np.ascontiguousarray(layer)) for layer in layers]
