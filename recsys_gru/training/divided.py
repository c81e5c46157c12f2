"""The learner whose lanes are divided among processes: what one process would learn, number by number."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import cast

import torch
from torch import Tensor

from recsys_gru.model.candidates import Rows
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.losses import Again
from recsys_gru.model.network import Network
from recsys_gru.model.rows import RowGradient
from recsys_gru.model.walk import Flow
from recsys_gru.training.exchange import Exchange
from recsys_gru.training.learner import Learner, Passed


class PartDropout(Dropout):
    """Drops what one process would drop, where only some rows are here."""

    here: Iterator[Tensor] = iter(())
    """Of the next masks, which of the rows of one process (L,) are here."""

    def mask(self, like: Tensor) -> Tensor | None:
        if self.p == 0:
            return None
        here = next(self.here)
        whole = super().mask(like.new_empty(len(here), like.shape[1]))
        return None if whole is None else whole[here]


class Division:
    """Which process walks each lane-step of a window, `owners` (P,), and each lane `before` it (L,).

    Lanes are shared out in blocks where a window begins; each stays where it is until its end.
    """

    def __init__(self, flow: Flow, lanes: int, size: int) -> None:
        self.before = former = torch.arange(lanes, device=flow.source.device) * size // lanes
        self.steps: list[Tensor] = []
        sources = []
        for begin, end in flow.spans():
            source = flow.source[begin:end]
            sources.append(_places(former, size)[source])
            former = former[source]
            self.steps.append(former)
        self.owners, self._source, self._keep = torch.cat(self.steps), torch.cat(sources), flow.keep

    def part(self, rank: int) -> tuple[Tensor, Flow, list[Tensor]]:
        """Which lane-steps (P,) a process walks, how states run through them, and the same of each step."""
        mine, steps = self.owners == rank, [owner == rank for owner in self.steps]
        return mine, Flow([int(step.sum()) for step in steps], self._keep[mine], self._source[mine]), steps


def _places(owners: Tensor, size: int) -> Tensor:
    """The place of each lane (L,) among those of its process."""
    places = torch.empty_like(owners)
    for rank in range(size):
        mine = owners == rank
        places[mine] = torch.arange(int(mine.sum()), device=owners.device)
    return places


class DividedLearner(Learner):
    """Walks its part of the lanes of each window, and learns from what all processes have found.

    All of them draw the same samples and dropout and keep the same weights and states: what is summed over
    lanes is summed in the order of one process.
    """

    exchange: Exchange

    @classmethod
    def of(cls, learner: Learner, exchange: Exchange) -> "DividedLearner":
        """The same learner, for a part of the lanes."""
        made = cls(**{field.name: getattr(learner, field.name) for field in fields(Learner)})
        made.exchange = exchange
        made.embed_dropout, made.hidden_dropout = (
            PartDropout(one.p, one.generator) for one in (learner.embed_dropout, learner.hidden_dropout)
        )
        return made

    def _pass(self, network: Network, rows: Rows, flow: Flow) -> Passed:
        rank, lanes = self.exchange.rank, len(self.states[0])
        division = Division(flow, lanes, self.exchange.size)
        has_some = bool((division.owners == rank).any())
        # with fewer lanes than processes one that has none walks all of them, and tells nothing
        walked, own = (division, rank) if has_some else (Division(flow, lanes, 1), 0)
        mine, ours, steps = walked.part(own)
        cast("PartDropout", self.embed_dropout).here = iter([mine])
        cast("PartDropout", self.hidden_dropout).here = iter(steps * len(network.layers))
        self.states = [state[walked.before == own] for state in self.states]
        passed = super()._pass(network, _part(rows, mine), ours)
        return self._put_together(division, passed, has_some)

    def _put_together(self, division: Division, passed: Passed, has_some: bool) -> Passed:
        """Tell the other processes what this one has passed, if it has; return what all have, and take the
        states that all lanes have now."""
        columns, states = torch.cat(_columns(passed), 1), torch.cat(self.states, 1)
        few = torch.cat([states.new_empty(0), *(g.of_rows(g.operand)[0] for g in passed.few.values())])
        if not has_some:
            columns, states, few = columns[:0], states[:0], torch.zeros_like(few)
        mine = torch.cat([columns.flatten(), states.flatten(), few])
        owners, last = division.owners, division.steps[-1]
        whole = columns.new_empty(
            columns.shape[1], len(owners)
        ).T  # scores lie as they do where they are made
        states, few = states.new_empty(len(last), states.shape[1]), torch.zeros_like(few)
        counts = [
            (int((owners == rank).sum()), int((last == rank).sum())) for rank in range(self.exchange.size)
        ]
        lengths = [n * whole.shape[1] + m * states.shape[1] + len(few) for n, m in counts]
        for rank, (told, (n, m)) in enumerate(zip(self.exchange.gather(mine, lengths), counts, strict=True)):
            of_events, of_lanes, numbers = torch.split(
                told, [n * whole.shape[1], m * states.shape[1], len(few)]
            )
            whole[owners == rank] = of_events.view(n, whole.shape[1])
            states[last == rank] = of_lanes.view(m, states.shape[1])
            few += numbers
        self.states = [one.contiguous() for one in torch.split(states, [s.shape[1] for s in self.states], 1)]
        return _passed(whole, passed, few)


def _columns(passed: Passed) -> list[Tensor]:
    """What a window's events leave, (P, ...) each."""
    n = len(passed.losses)
    found = [
        passed.losses[:, None],
        passed.d_scores,
        passed.asking,
        passed.d_hidden,
        passed.added.reshape(n, -1),
    ]
    return found + [one for layer in passed.layers for g in layer.values() for one in (g.delta, g.operand)]


def _passed(whole: Tensor, like: Passed, few: Tensor) -> Passed:
    """The same of all events, from `_columns` side by side, and the gradients of the few numbers."""
    columns = torch.split(whole, [one.shape[1] for one in _columns(like)], 1)
    losses, d_scores, asking, d_hidden, added, *factors = columns
    numbers = torch.split(few, [g.operand.shape[1] for g in like.few.values()])
    of_few = {
        name: RowGradient(few.new_ones(1, 1), one[None]) for name, one in zip(like.few, numbers, strict=True)
    }
    rest = iter(one.contiguous() for one in factors)
    layers = [{name: RowGradient(next(rest), next(rest)) for name in layer} for layer in like.layers]
    added = added.reshape(-1, like.added.shape[1])
    return Passed(losses[:, 0], d_scores, asking.contiguous(), d_hidden.contiguous(), added, layers, of_few)


def _part(rows: Rows, mine: Tensor) -> Rows:
    """What a loss and the layers are told of some lane-steps alone."""
    columns = rows.columns
    told = {name: getattr(columns, name)[mine] for name in ("target", "step", "target_log_q")} | {
        "own_counts": None if columns.own_counts is None else columns.own_counts[mine],
        "again": None if columns.again is None else Again(*(one[mine] for one in columns.again)),
    }
    return rows._replace(
        inputs=rows.inputs[mine],
        input_at=rows.input_at[mine] if len(rows.input_at) else rows.input_at,
        columns=replace(columns, **told),
        moment=None if rows.moment is None else rows.moment[mine],
        worth=None if rows.worth is None else rows.worth[mine],
    )
