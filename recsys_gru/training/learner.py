"""One update of the network: score the candidates, take the loss, change the rows it touched."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.kernels.machine.pace import Pace
from recsys_gru.kernels.products import matmul
from recsys_gru.model.candidates import Candidates, Rows
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.gradients import value_and_gradient
from recsys_gru.model.losses import Loss
from recsys_gru.model.network import Flow, Network, States
from recsys_gru.model.optimisers import Optimiser
from recsys_gru.model.rows import RowGradient, score_rows, take_rows
from recsys_gru.model.sampling import NegativeSampler
from recsys_gru.training.context import Begun, Context
from recsys_gru.training.lanes import Window

Ints = NDArray[np.int64]
Gradient = tuple[str, str | None, RowGradient]
"""The names of a parameter and of its bias, and the gradient of both."""


@dataclass
class Learner:
    """Everything an update needs; `states` are the lanes' hidden states, carried from window to window,
    detached."""

    network: Network
    optimiser: Optimiser
    loss: Loss
    candidates: Candidates
    sampler: NegativeSampler
    embed_dropout: Dropout
    hidden_dropout: Dropout
    batch_size: int
    grad_clip: float
    states: States
    pace: Pace = field(default_factory=Pace)
    begun: Begun | None = None

    def begin_epoch(self, n_lanes: int, context: Context | None = None) -> None:
        """Forget the hidden states, and read what goes before some sessions; the first step has so many
        lanes."""
        self.states = self.network.zero_states(n_lanes)
        self.begun = None if context is None else context.read(self.network)

    def run(
        self, items: NDArray[np.int32], windows: list[Window], rates: NDArray[np.float64]
    ) -> Iterator[float]:
        """Update on some windows one after the other, at learning rates (W,); yield the loss of each."""
        for (rows, flow), rate in zip(self.plan(items, windows), rates.tolist(), strict=True):
            self.optimiser.learning_rate = rate
            with self.pace.work(self._amount(flow.alive)):
                loss = self.update(rows, flow)
            yield loss

    def _amount(self, alive: Sequence[int]) -> int:
        """Events of a window if all lanes walk it; steps of the last few lanes cost more for each event."""
        events = sum(alive)
        return events if events == self.batch_size * len(alive) else 0

    def plan(self, items: NDArray[np.int32], windows: list[Window]) -> Iterator[tuple[Rows, Flow]]:
        """Draw the samples of some windows of events and collect their candidates, which depend on no
        weight."""
        rows = self.candidates.collect(*self._events(items, windows))
        return zip(rows, map(self._flow, windows), strict=True)

    def update(self, rows: Rows, flow: Flow) -> float:
        """Update the network on a window; return its loss, summed over events and divided by lanes and
        steps."""
        tables = self.network.tables
        tied = self.network.architecture.mode == "tied"
        looked_up = take_rows(tables["output" if tied else "input"], rows.inputs)  # (P, E)
        mask = self.embed_dropout.mask(looked_up)
        x = looked_up if mask is None else looked_up * mask
        hidden, self.states, tape = self.network.forward(x, flow, self.states, self.hidden_dropout)  # (P, H)
        scored = rows.rows[: rows.n_candidates]
        candidates, scores = score_rows(tables["output"], tables["bias"], scored, hidden)  # (U, H), (P, U)
        share = 1 / (self.batch_size * len(flow.alive))
        losses, d_scores = value_and_gradient(self.loss, scores, rows.columns, share)
        d_x, d_layers = self.network.backward(matmul(d_scores, candidates), flow, tape)
        d_x = d_x if mask is None else d_x * mask
        gradients: list[Gradient] = []
        if tied:
            inside = (rows.input_at, d_x)
            gradients.append(("output", "bias", RowGradient(d_scores, hidden, rows.rows, inside)))
        else:
            gradients.append(("output", "bias", RowGradient(d_scores, hidden, scored)))
            distinct, at = torch.unique(rows.inputs, return_inverse=True)
            gradients.append(("input", None, RowGradient(d_x[:, :0], d_x, distinct, (at, d_x))))
        for i, layer in enumerate(d_layers):
            for name, gradient in layer.items():
                bias = f"layers.{i}.{name}_bias" if f"{name}_bias" in self.network.layers[i] else None
                gradients.append((f"layers.{i}.{name}", bias, gradient))
        self._apply(gradients)
        return float(losses.sum()) * share

    def _apply(self, gradients: list[Gradient]) -> None:
        scale = _clip(gradients, self.grad_clip) if self.grad_clip else 1.0
        for name, bias, gradient in gradients:
            self.optimiser.apply(name, bias, gradient if scale == 1 else gradient.times(scale))

    def _events(
        self, items: NDArray[np.int32], windows: list[Window]
    ) -> tuple[Ints, Ints, Ints, list[list[int]]]:
        """Return the inputs, targets and samples of some windows, and the lanes of their steps."""
        at = np.concatenate([window.at for window in windows])
        inputs, targets = items[at].astype(np.int64), items[at + 1].astype(np.int64)
        return inputs, targets, self.sampler.draw(len(windows)), [window.alive for window in windows]

    def _flow(self, window: Window) -> Flow:
        output = self.network.tables["output"]
        keep = torch.from_numpy(window.keep).to(output.device, output.dtype)
        source = torch.from_numpy(window.source).to(output.device)
        return Flow(window.alive, keep, source, None if self.begun is None else self.begun.given(window))


def _clip(gradients: list[Gradient], limit: float) -> float:
    """Return the factor that brings the global norm down to `limit`, or 1. Source: Pascanu et al. 2013."""
    norms = [gradient.of_rows().norm() for _, _, gradient in gradients]
    norms += [gradient.of_biases().norm() for _, bias, gradient in gradients if bias is not None]
    norm = float(torch.stack(norms).norm())
    return min(1.0, limit / norm) if norm else 1.0
