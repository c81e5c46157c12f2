"""From a trained network to blocks of scores: hidden states of every prefix, then one matrix product per
tile.

A row's scores do not depend on what is scored beside it: on the CPU the network's own products see to that;
torch's products, elsewhere, add up every element in the same order if they are not too small, so smaller ones
are padded (`tests/recommender/test_scoring.py` holds this).
"""

from collections.abc import Iterator
from functools import cached_property
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.contract import prefix_ends
from recsys_gru.kernels.arrays import Floats
from recsys_gru.kernels.bars import Bars
from recsys_gru.kernels.coarse import coarse_scores
from recsys_gru.kernels.counting import counts_beside
from recsys_gru.kernels.machine.bytes import HAS_BYTES
from recsys_gru.kernels.machine.pace import Pace
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import on_kernels, scores_of, with_one
from recsys_gru.kernels.readout import recent
from recsys_gru.kernels.repeats import last_items
from recsys_gru.kernels.roughly import rough_scores
from recsys_gru.kernels.scores import Tile, count_shared, offer_shared, own_scores
from recsys_gru.kernels.shortlists import short_lists
from recsys_gru.kernels.tiles import Heaps, Targets
from recsys_gru.model.network import Network
from recsys_gru.model.rows import score_rows
from recsys_gru.ranking import Block
from recsys_gru.ranking.raised import Raised, RaisedBlock
from recsys_gru.ranking.rough import Rough
from recsys_gru.sessions import Sessions

LANES = 128
"""Sessions whose hidden states are computed side by side."""
ROWS = 16
"""Rows of a matrix product come in multiples of this, so that threads never share out a handful of them."""
NARROWEST = 16
"""Columns of the smallest matrix product."""
MANY = 64
"""Prefixes for which rounding the item table's rows to count them is worth it, if there are MANY squared
items."""
Ints = NDArray[np.int64]


@final
class NetworkBlock(Block):
    """Scores of Q hidden states (Q, H): hidden . output_j + bias_j, or the scaled cosine of these rows +
    bias_j."""

    def __init__(self, rows: Ints, hidden: Tensor, network: Network, pace: Pace) -> None:
        self.rows = rows
        self.n_items = network.architecture.n_items
        self._pace = pace
        self._copies = network.copies
        self._output = network.scored_by()
        self._bias = network.tables["bias"]  # (N, 1)
        asking = network.asking(hidden)
        self._hidden = asking if on_kernels(asking) else _padded(asking)

    def tile(self, start: int, stop: int) -> NDArray[np.float32]:
        if stop - start < NARROWEST:
            return self._scores(torch.arange(start, stop, device=self._output.device))
        scores = scores_of(self._hidden, self._output[start:stop], self._bias[start:stop, 0])
        return scores[: len(self.rows)].cpu().numpy()

    def offer(self, start: int, stop: int, allowed: NDArray[np.bool_], heaps: Heaps) -> None:
        if not on_kernels(self._output):
            super().offer(start, stop, allowed, heaps)
            return
        with self._pace.work(len(self.rows) * (stop - start)):
            offer_shared(self._lanes, self._items(start, stop), allowed, start, heaps, n_threads())

    def count(
        self,
        start: int,
        stop: int,
        allowed: NDArray[np.bool_],
        targets: Targets,
        counts: NDArray[np.int64],
    ) -> None:
        if not on_kernels(self._output):
            super().count(start, stop, allowed, targets, counts)
            return
        with self._pace.work(len(self.rows) * (stop - start)):
            count_shared(self._lanes, self._items(start, stop), allowed, start, targets, counts, n_threads())

    def counted(self, own: Floats, keep: NDArray[np.bool_]) -> Ints | None:
        if not HAS_BYTES or len(own) < MANY or self.n_items < MANY**2 or not on_kernels(self._output):
            return None
        with self._pace.work(len(self.rows) * self.n_items):
            return counts_beside(*self._arrays[:2], keep, self._arrays[2], own, n_threads())

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        """The rows (N, H), the biases (N,) and the hidden states (Q, H); only where kernels serve them."""
        return self._output.numpy(), self._bias.numpy()[:, 0], self._hidden.numpy()

    @cached_property
    def _lanes(self) -> Floats:
        return with_one(self._hidden.numpy())

    def _items(self, start: int, stop: int) -> Tile:
        return self._output[start:stop].numpy(), self._bias[start:stop, 0].numpy()

    def own(self, items: NDArray[np.int32], rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        rows = np.arange(len(items)) if rows is None else rows
        if on_kernels(self._output):
            return own_scores(*self._arrays, rows, items)
        found, size = np.empty(len(items), np.float32), len(self.rows)
        for first in range(0, len(items), size):  # a product of at most Q columns
            part = slice(first, first + size)
            asked = torch.from_numpy(items[part].astype(np.int64)).to(self._output.device)
            found[part] = self._scores(asked)[rows[part], np.arange(len(asked))]
        return found

    def short(self, k: int, bars: Bars, length: int) -> tuple[NDArray[np.int32], Ints] | None:
        coarse = self._copies.coarse(self._output, self._bias) if HAS_BYTES else None
        if coarse is None:
            return None
        return short_lists(coarse, *self._arrays[1:], k, bars, length)

    def rough_scores(self) -> tuple[Floats, NDArray[np.float64]] | None:
        coarse = self._copies.coarse(self._output, self._bias)
        if coarse is None:
            return None
        return rough_scores(coarse, *self._arrays[1:])

    def rough(self, row: int) -> Rough | None:
        coarse = self._copies.coarse(self._output, self._bias)
        if coarse is None:
            return None
        _, bias, hidden = self._arrays
        return Rough(*coarse_scores(coarse, bias, hidden[row]), False)

    def _scores(self, items: Tensor) -> NDArray[np.float32]:
        """Scores (Q, T) of any items; where torch multiplies, by a product of at least NARROWEST columns."""
        count = len(items)
        if count < NARROWEST and not on_kernels(self._output):
            items = torch.cat((items, items.new_zeros(NARROWEST - count)))
        _, scores = score_rows(self._output, self._bias, items, self._hidden)
        return scores[: len(self.rows), :count].cpu().numpy()


def network_blocks(
    network: Network, sessions: Sessions, every: bool, rows: int, moment: Ints | None = None
) -> Iterator[Block]:
    """Score the prefixes of sessions, at most `rows` of them a block; see `ranking.Scorer`. Of each event's
    `moment` these labels (E, C) are known, -1 for none."""
    for block in _plain_blocks(network, sessions, every, rows, moment):
        yield _with_repeats(block, network, sessions)


def block_of(network: Network, sessions: Sessions, at: Ints, hidden: Tensor, moment: Ints | None) -> Block:
    """The scores after some events (Q,), given the hidden states after them (Q, H)."""
    read_out = _read_out(network, sessions, at, hidden, moment)
    return _with_repeats(NetworkBlock(at, read_out, network, Pace()), network, sessions)


def _with_repeats(block: Block, network: Network, sessions: Sessions) -> Block:
    """The scores of prefixes, those of their last clicks raised or lowered where the network does that."""
    if not network.architecture.repeats:
        return block
    numbers = network.readout["repeats"][0].cpu().numpy()  # (R,)
    firsts = sessions.firsts(block.rows)
    _, items, back, rows = last_items(sessions.items, firsts, block.rows, len(numbers))
    return RaisedBlock(block, Raised(rows, items, numbers[back]))


def _plain_blocks(
    network: Network, sessions: Sessions, every: bool, rows: int, moment: Ints | None
) -> Iterator[NetworkBlock]:
    if sessions.n_sessions == 1 and sessions.n_events and not every:
        yield NetworkBlock(*_walk_one(network, sessions, moment), network, Pace())
        return
    pace = Pace()
    waiting_rows: list[Ints] = []
    waiting_states: list[Tensor] = []
    for ends, hidden in prefix_states(network, sessions, every, moment):
        waiting_rows.append(ends)
        waiting_states.append(hidden)
        if sum(map(len, waiting_rows)) < rows:
            continue
        yield from _cut(network, pace, waiting_rows, waiting_states, rows, whole=False)
    yield from _cut(network, pace, waiting_rows, waiting_states, rows, whole=True)


def prefix_states(
    network: Network, sessions: Sessions, every: bool, moment: Ints | None = None
) -> Iterator[tuple[Ints, Tensor]]:
    """Yield pairs of event indices (Q,) and what the network reads out after them (Q, H), some sessions at a
    time."""
    ends = prefix_ends(sessions, every)
    owner = np.searchsorted(sessions.offsets, ends, side="right") - 1
    steps = np.zeros(sessions.n_sessions, np.int64)
    steps[owner] = ends - sessions.offsets[owner] + 1  # of several ends of a session the last one stays
    wanted = np.zeros(sessions.n_events, np.bool_)
    wanted[ends] = True
    walked = np.flatnonzero(steps)
    walked = walked[np.argsort(-steps[walked], kind="stable")]  # alike lengths walk together
    pace = Pace()
    for first in range(0, len(walked), LANES):
        chosen = walked[first : first + LANES]
        with pace.work(steps[chosen].sum()):
            at, hidden = _walk(network, sessions, chosen, steps[chosen])
            kept = wanted[at]
            if not kept.all():
                at, hidden = at[kept], hidden[torch.from_numpy(kept).to(hidden.device)]
            read_out = _read_out(network, sessions, at, hidden, moment)
        yield at, read_out


def cosines(network: Network, number: int) -> NDArray[np.float32]:
    """The cosine (N,) of every item's row of the output table with one item's."""
    rows = network.rows("output").cpu().numpy()  # (N, H)
    lengths = np.maximum(np.linalg.norm(rows, axis=1), np.finfo(np.float32).tiny)  # (N,)
    found: NDArray[np.float32] = (rows / lengths[:, None]) @ (rows[number] / lengths[number])
    return found.clip(-1, 1)


def _walk_one(network: Network, sessions: Sessions, moment: Ints | None) -> tuple[Ints, Tensor]:
    """What is read out after a single session: the batch's, without the order among walkers."""
    at = np.array([sessions.n_events - 1])
    hidden = network.after(torch.from_numpy(sessions.items.astype(np.int64)).to(network.device))
    return at, _read_out(network, sessions, at, hidden, moment)


def _read_out(network: Network, sessions: Sessions, at: Ints, hidden: Tensor, moment: Ints | None) -> Tensor:
    """What is read out after some events (Q,), given the hidden states after them (Q, H)."""
    if moment is None and not network.architecture.look_back:
        return hidden
    found = recent(sessions.items, sessions.offsets, at, network.architecture.look_back)
    labels = None if moment is None else torch.from_numpy(moment[at]).to(network.device)
    return network.read_out(hidden, torch.from_numpy(found).to(network.device), labels)


def _walk(network: Network, sessions: Sessions, chosen: Ints, lengths: Ints) -> tuple[Ints, Tensor]:
    """Event indices (P,) and states (P, H) of the first events of some sessions, of descending lengths."""
    begins = sessions.offsets[chosen]
    alive = (lengths[:, None] > np.arange(lengths[0])).sum(0)  # (T,)
    step = np.repeat(np.arange(len(alive)), alive)  # (P,)
    lane = np.arange(len(step)) - (np.cumsum(alive) - alive)[step]
    at = begins[lane] + step
    items = torch.from_numpy(sessions.items[at].astype(np.int64)).to(network.device)
    return at, network.run(network.input_rows(items), alive.tolist())[0]


def _cut(
    network: Network, pace: Pace, rows: list[Ints], states: list[Tensor], size: int, *, whole: bool
) -> Iterator[NetworkBlock]:
    """Yield full blocks of what waits, and with `whole` the rest too; what is left waits on."""
    if not rows:
        return
    ends, hidden = np.concatenate(rows), torch.cat(states)
    last = len(ends) if whole else len(ends) - len(ends) % size
    for first in range(0, last, size):
        part = slice(first, min(first + size, last))
        yield NetworkBlock(ends[part], hidden[part], network, pace)
    rows[:], states[:] = [ends[last:]], [hidden[last:]]


def _padded(hidden: Tensor) -> Tensor:
    missing = -len(hidden) % ROWS
    return torch.cat((hidden, hidden.new_zeros(missing, hidden.shape[1]))) if missing else hidden
