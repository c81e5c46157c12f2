"""One update of the network: score the candidates, take the loss, change the rows it touched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.kernels.machine.pace import Pace
from recsys_gru.kernels.products import matmul
from recsys_gru.model.candidates import Candidates, Rows
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.gradients import value_and_gradient, weighted
from recsys_gru.model.losses import Loss
from recsys_gru.model.near import Gradient, near, through_facts
from recsys_gru.model.network import Network, States
from recsys_gru.model.optimisers import Optimiser
from recsys_gru.model.repeats import raise_repeats, through_repeats
from recsys_gru.model.rows import RowGradient, score_rows
from recsys_gru.model.sampling import NegativeSampler
from recsys_gru.model.walk import Flow, Gradients
from recsys_gru.training.context import Begun, Context
from recsys_gru.training.data import TrainingData
from recsys_gru.training.lanes import Window

Ints = NDArray[np.int64]


class Passed(NamedTuple):
    """What a window's P events leave for the gradients of all that they touch."""

    losses: Tensor
    """(P,)"""
    d_scores: Tensor
    """(P, U)"""
    asking: Tensor
    """(P, H)"""
    d_hidden: Tensor
    """(P, H)"""
    added: Tensor
    """(P * K, E) gradients of looked-up rows."""
    layers: list[Gradients]
    few: dict[str, RowGradient]
    """Of a few numbers each: the readout's weights, and what repeats add."""


@dataclass
class Learner:
    """Everything an update needs; `states` are the lanes' hidden states, carried from window to window,
    detached."""

    network: Network
    optimiser: Optimiser
    loss: Loss
    candidates: Candidates
    sampler: NegativeSampler
    own_dropout: Dropout
    embed_dropout: Dropout
    hidden_dropout: Dropout
    batch_size: int
    grad_clip: float
    states: States
    pace: Pace = field(default_factory=Pace)
    begun: Begun | None = None
    new_epochs: int = 1
    """Epochs in which they are new to the network."""
    clicks_are_new: bool = True
    """Whether the network has not learned from them before: only then the numbers of repeats are learned."""
    touched: NDArray[np.bool_] | None = None
    """(N,) marks the items that updates have changed, where someone asks for it."""

    def begin_epoch(self, n_lanes: int, context: Context | None = None) -> None:
        """Forget the hidden states, and read what goes before some sessions; the first step has so many
        lanes."""
        self.states = self.network.zero_states(n_lanes)
        self.begun = None if context is None else context.read(self.network)

    def run(self, data: TrainingData, windows: list[Window], rates: NDArray[np.float64]) -> Iterator[float]:
        """Update on some windows one after the other, at learning rates (W,); yield the loss of each."""
        for (rows, flow), rate in zip(self.plan(data, windows), rates.tolist(), strict=True):
            self.optimiser.learning_rate = rate
            with self.pace.work(self._amount(flow.alive)):
                loss = self.update(rows, flow)
            yield loss

    def _amount(self, alive: Sequence[int]) -> int:
        """Events of a window if all lanes walk it; steps of the last few lanes cost more for each event."""
        events = sum(alive)
        return events if events == self.batch_size * len(alive) else 0

    def plan(self, data: TrainingData, windows: list[Window]) -> Iterator[tuple[Rows, Flow]]:
        """Draw the samples of some windows of events and collect their candidates, which depend on no
        weight."""
        rows = self.candidates.collect(*self._events(data, windows))
        if data.moment is not None:
            told = [self._told(data, window) for window in windows]
            rows = (one._replace(moment=moment, worth=w) for one, (moment, w) in zip(rows, told, strict=True))
        return zip(rows, map(self._flow, windows), strict=True)

    def _told(self, data: TrainingData, window: Window) -> tuple[Tensor | None, Tensor | None]:
        """The labels of inputs' moments, and what the targets count."""
        moment = None if data.moment is None else data.moment[window.at]
        worth = None if data.worth is None else data.worth[window.at + 1]
        device = self.network.device
        told = (None if one is None else torch.from_numpy(one).to(device) for one in (moment, worth))
        return next(told), next(told)

    def update(self, rows: Rows, flow: Flow) -> float:
        """Update the network on a window; return its loss, summed over events and divided by lanes and
        steps."""
        facts = self.network.facts
        if facts is None:
            loss, gradients = self._gradients(self.network, rows, flow)
        else:
            window = near(self.network, rows, self.own_dropout)
            loss, of_window = self._gradients(window.network, window.rows, flow)
            gradients = [*through_facts(self.network, facts, window, of_window)]
        self._apply(gradients)
        return loss

    def _gradients(self, network: Network, rows: Rows, flow: Flow) -> tuple[float, list[Gradient]]:
        """Return a window's loss and the gradients of all that it touches; the lanes' states go on."""
        passed = self._pass(network, rows, flow)
        share = 1 / (self.batch_size * len(flow.alive))
        return float(passed.losses.sum()) * share, [*_assembled(network, rows, passed)]

    def _pass(self, network: Network, rows: Rows, flow: Flow) -> "Passed":
        """Walk through a window to its losses, and back; the lanes' states go on."""
        tables = network.tables
        looked_up = network.input_rows(rows.inputs[:, 0].contiguous())  # (P, E)
        mask = self.embed_dropout.mask(looked_up)
        x = looked_up if mask is None else looked_up * mask
        hidden, self.states, tape = network.forward(x, flow, self.states, self.hidden_dropout)  # (P, H)
        read_out = network.read_out(hidden, rows.inputs, rows.moment)  # (P, H)
        scored, scale = rows.rows[: rows.n_candidates], network.architecture.scale
        asking = network.asking(read_out)  # (P, H)
        candidates, scores = score_rows(
            tables["output"], tables["bias"], scored, asking, scale
        )  # (U, H), (P, U)
        share, again = 1 / (self.batch_size * len(flow.alive)), rows.columns.again
        if again is not None:
            raise_repeats(scores, again.at, network.readout["repeats"])
        losses, d_scores = value_and_gradient(self.loss, scores, rows.columns, share)
        if rows.worth is not None:
            losses, d_scores = losses * rows.worth, weighted(d_scores, rows.worth)
        few = self._of_repeats(d_scores, rows)
        d_asking = matmul(d_scores, candidates)
        d_hidden, d_weights, d_rows = network.through_read_out(d_asking, read_out, rows.inputs)
        if d_weights is not None:
            few["readout.weights"] = d_weights
        d_x, d_layers = network.backward(d_hidden, flow, tape)
        added = _added(d_x if mask is None else d_x * mask, d_rows)
        return Passed(losses, d_scores, asking, d_hidden, added, d_layers, few)

    def _of_repeats(self, d_scores: Tensor, rows: Rows) -> dict[str, RowGradient]:
        """The gradient of what was added to the scores of last clicks, which is taken from that of the
        scores where it is no target."""
        again = rows.columns.again
        if again is None:
            return {}
        pushes = self.network.architecture.scale == 0
        of_numbers = through_repeats(d_scores, again.at, rows.columns.target, pushes)
        gradient = RowGradient(d_scores.new_ones(1, 1), of_numbers)
        return {"readout.repeats": gradient} if self.clicks_are_new else {}

    def _apply(self, gradients: list[Gradient]) -> None:
        for name, bias, gradient in self._clipped(gradients, self.optimiser.parameters):
            self.optimiser.apply(name, bias, gradient)

    def _clipped(self, gradients: list[Gradient], parameters: Mapping[str, Tensor]) -> list[Gradient]:
        scale = _clip(gradients, parameters, self.grad_clip) if self.grad_clip else 1.0
        return gradients if scale == 1 else [(name, bias, g.times(scale)) for name, bias, g in gradients]

    def _events(self, data: TrainingData, windows: list[Window]) -> tuple[Ints, Ints, Ints, list[list[int]]]:
        """Return the inputs with what goes before them, the targets and the samples of some windows, and the
        lanes of their steps."""
        at = np.concatenate([window.at for window in windows])
        shape = self.network.architecture
        inputs = data.recent(at, max(shape.look_back, shape.repeats, 1))
        targets = data.items[at + 1].astype(np.int64)
        samples = self.sampler.draw(len(windows))
        if self.touched is not None:
            for items in (inputs[inputs >= 0], targets, samples):
                self.touched[items] = True
        return inputs, targets, samples, [window.alive for window in windows]

    def _flow(self, window: Window) -> Flow:
        output = self.network.tables["output"]
        keep = torch.from_numpy(window.keep).to(output.device, output.dtype)
        source = torch.from_numpy(window.source).to(output.device)
        return Flow(window.alive, keep, source, None if self.begun is None else self.begun.given(window))


def _assembled(network: Network, rows: Rows, passed: Passed) -> Iterator[Gradient]:
    """The gradients of all that a window has touched."""
    scored, scale = rows.rows[: rows.n_candidates], network.architecture.scale
    d_scores, asking, added = passed.d_scores, passed.asking, passed.added
    yield from ((name, None, gradient) for name, gradient in passed.few.items())
    if network.architecture.mode == "tied":
        inside = (rows.input_at.flatten(), added)
        yield "output", "bias", RowGradient(d_scores, asking, rows.rows, inside, scale)
    else:
        yield "output", "bias", RowGradient(d_scores, asking, scored, None, scale)
        there = rows.inputs.flatten() >= 0
        distinct, at = torch.unique(rows.inputs.flatten()[there], return_inverse=True)
        yield "input", None, RowGradient(added[:, :0], added, distinct, (at, added[there]))
    if rows.moment is not None:
        yield "moment.labels", None, network.through_moment(passed.d_hidden, rows.moment)
    yield from _of_layers(network, passed.layers)


def _of_layers(network: Network, d_layers: list[Gradients]) -> Iterator[Gradient]:
    """The gradients of the layers' matrices, each with the name of its bias."""
    for i, layer in enumerate(d_layers):
        for name, gradient in layer.items():
            bias = f"layers.{i}.{name}_bias" if f"{name}_bias" in network.layers[i] else None
            yield f"layers.{i}.{name}", bias, gradient


def _added(d_x: Tensor, d_rows: Tensor) -> Tensor:
    """Return the gradients of all looked-up rows (P * K, E), given those of the inputs (P, E), and those of
    the rows that the readout weighs, if it does."""
    if not len(d_rows):
        return d_x
    d_rows.view(len(d_x), -1, d_x.shape[1])[:, 0] += d_x
    return d_rows


def _clip(gradients: list[Gradient], parameters: Mapping[str, Tensor], limit: float) -> float:
    """Return the factor that brings the global norm down to `limit`, or 1. Source: Pascanu et al. 2013."""
    norms = [gradient.of_rows(parameters[name]).norm() for name, _, gradient in gradients]
    norms += [gradient.of_biases().norm() for _, bias, gradient in gradients if bias is not None]
    norm = float(torch.stack(norms).norm())
    return min(1.0, limit / norm) if norm else 1.0
