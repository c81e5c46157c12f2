"""Ways in which processes train one model together. Alone is one of them.

Source: Stich 2019 (local SGD, ICLR); Douillard et al. 2023 (DiLoCo).
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.model.share import WHOLE, Share
from recsys_gru.training.compiled import CompiledLearner
from recsys_gru.training.data import TrainingData
from recsys_gru.training.divided import DividedLearner
from recsys_gru.training.exchange import Exchange
from recsys_gru.training.learner import Learner
from recsys_gru.training.parted import PartedLearner
from recsys_gru.training.settings import Settings
from recsys_gru.training.trainer import PAUSE, Position, train_epoch

SELDOM = 4
"""Pauses between two meetings of the fast way, at least; a large catalogue has more to tell."""
ITEMS = 2048
"""Items for each of those pauses: a meeting then takes about a twentieth of the time."""
Parallel = Literal["exact", "fast", "divided"]


class Alone:
    """One process learns from all sessions."""

    apart = False
    """Whether processes stand at places of their own, in sessions of their own."""

    def __init__(self, learner: Learner, data: TrainingData, exchange: Exchange) -> None:
        self.learner, self.data, self.exchange = learner, data, exchange

    def epoch(self, settings: Settings, at: Position, pause: int) -> Iterator[Position]:
        """Learn from the rest of an epoch; see `train_epoch`."""
        return train_epoch(self.learner, self.data, settings, at, pause)

    def close(self, at: Position) -> None:
        """Make the figures of an epoch that has ended those of all processes."""


class Exact(Alone):
    """Each process walks a part of the lanes: the trajectory is that of one."""

    kind: type[DividedLearner] = DividedLearner

    def __init__(self, learner: Learner, data: TrainingData, exchange: Exchange) -> None:
        super().__init__(self.kind.of(learner, exchange), data, exchange)


class Divided(Exact):
    """The same, and each process has a part of the item tables' rows."""

    kind = PartedLearner


class _Shared(NamedTuple):
    """A parameter, or a memory of it, and what it was when processes last met."""

    now: Tensor
    then: Tensor
    of_items: bool
    """Whether only rows of items that were touched can have changed."""
    adds_up: bool
    """Whether changes are summed; else their mean is taken."""

    def change(self, rows: Tensor) -> Tensor:
        """What this process has changed since then."""
        if not self.of_items:
            return self.now - self.then
        return self.now.index_select(0, rows).sub_(self.then.index_select(0, rows))

    def take(self, rows: Tensor, change: Tensor) -> None:
        """Go on from what all have changed."""
        if self.of_items:
            self.then.index_add_(0, rows, change.view(len(rows), -1))
            self.now.index_copy_(0, rows, self.then.index_select(0, rows))
        else:
            self.then.add_(change.view_as(self.then))
            self.now.copy_(self.then)


class Fast(Alone):
    """Each process learns by itself from its share of the sessions, with samples of its own; now and then all
    meet: changes of item rows and of Adagrad's sums are added up, those of all other weights averaged.

    An item's row is moved by few updates, and all of them count; a layer is moved by all of them, in one
    direction as a rule, and the sum would go too far (docs/log.md).
    """

    apart = True

    def __init__(self, learner: Learner, data: TrainingData, exchange: Exchange) -> None:
        if not isinstance(learner, CompiledLearner):
            raise ParameterError(
                "parallel='fast' needs what the compiled loop trains: one GRU layer, one table of items, "
                "cross-entropy or bpr-max, adagrad, on a CPU, without grad_clip, weight_decay, "
                "label_smoothing and exclude_hits. What to do: choose these, or parallel='exact'"
            )
        super().__init__(learner, data.share(exchange.rank, exchange.size), exchange)
        for generator in (learner.sampler.generator, learner.embed_dropout.generator):
            bits = cast("np.random.PCG64", generator.bit_generator)
            bits.state = bits.jumped(exchange.rank).state
        n_items = len(learner.network.tables["bias"])
        self.every = PAUSE * max(SELDOM, n_items // ITEMS)
        learner.touched = self._touched = np.zeros(n_items, np.bool_)
        self._shared: list[_Shared] = []

    def epoch(self, settings: Settings, at: Position, pause: int) -> Iterator[Position]:  # noqa: ARG002
        self._shared = self._shared or list(self._all_shared())
        positions, going = super().epoch(settings, at, PAUSE), True
        while self.exchange.any(going):
            until = at.updates + self.every
            while going and at.updates < until:
                going = next(positions, None) is not None
            self._meet()
            yield at

    def close(self, at: Position) -> None:
        told = self.exchange.all((at.updates, at.events, at.steps, at.loss, at.seconds))
        at.updates, at.events, at.steps, at.loss, _ = map(sum, zip(*told, strict=True))
        at.seconds = max(one[-1] for one in told)

    def _all_shared(self) -> Iterator[_Shared]:
        tables, slots = self.learner.network.tables, self.learner.optimiser.slots
        for name, values in self.learner.network.parameters():
            yield _Shared(values, values.clone(), name in tables, adds_up=name in tables)
            for slot, memory in slots[name].items():
                yield _Shared(memory, memory.clone(), name in tables, adds_up=slot == "sums")

    def _meet(self) -> None:
        """Bring all processes to the same weights, from what each has changed."""
        touched = self.exchange.add(torch.from_numpy(self._touched.astype(np.int32)))
        rows = touched.nonzero()[:, 0]
        changes = [one.change(rows) for one in self._shared]
        sums = self.exchange.add(torch.cat([change.flatten() for change in changes]))
        for one, change in zip(self._shared, torch.split(sums, [c.numel() for c in changes]), strict=True):
            one.take(rows, change if one.adds_up else change / self.exchange.size)
        self._touched[:] = False


WAYS: dict[str | None, type[Alone]] = {None: Alone, "exact": Exact, "fast": Fast, "divided": Divided}


def share_of(parallel: str | None) -> Share:
    """Which rows of the item tables this process is to have; raises ParameterError as `way_of` does."""
    if parallel != "divided":
        return WHOLE
    exchange = Exchange.of_group()
    return Share(exchange.rank, exchange.size)


def way_of(parallel: str | None, learner: Learner, data: TrainingData) -> Alone:
    """How to train, by name.

    Raises:
        ParameterError: in no group of processes, or where this cannot be learned so.
    """
    if parallel is None:
        return Alone(learner, data, Exchange())
    if data.context is not None:
        raise ParameterError("parallel learns from whole sessions, and some began before what is learned")
    return WAYS[parallel](learner, data, Exchange.of_group())
