"""One update of the network: score the candidates, take the loss, change the rows it touched."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.model.candidates import Candidates, Rows
from recsys_gru.model.gradients import value_and_gradient
from recsys_gru.model.losses import Loss
from recsys_gru.model.network import Dropout, Flow, Network, States
from recsys_gru.model.optimisers import Optimiser
from recsys_gru.model.sampling import NegativeSampler
from recsys_gru.training.lanes import Window

Ints = NDArray[np.int64]


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

    def begin_epoch(self, n_lanes: int) -> None:
        """Forget the hidden states; the first step has so many lanes."""
        self.states = self.network.zero_states(n_lanes)

    def learn(self, items: NDArray[np.int32], window: Window) -> float:
        """Update the network on a window of events; return its loss, summed over events and divided by lanes
        and steps."""
        inputs = items[window.at].astype(np.int64)
        targets = items[window.at + 1].astype(np.int64)
        return self.update(inputs, targets, self.sampler.draw(), self._flow(window))

    def update(self, inputs: Ints, targets: Ints, samples: Ints, flow: Flow) -> float:
        """Update the network on inputs and targets (P,) with shared samples (S,); return the loss."""
        tied = self.network.architecture.mode == "tied"
        rows = self.candidates.collect(inputs if tied else inputs[:0], targets, samples)
        output = self.network.tables["output"].index_select(0, rows.rows)  # (V, H)
        table, table_rows, at = self._input_rows(inputs, rows, output)

        looked_up = table.index_select(0, at)  # (P, E)
        mask = self.embed_dropout.mask(looked_up)
        x = looked_up if mask is None else looked_up * mask
        hidden, self.states, tape = self.network.forward(x, flow, self.states, self.hidden_dropout)  # (P, H)
        candidates = output[: rows.n_candidates]  # (U, H)
        bias = self.network.tables["bias"][rows.rows[: rows.n_candidates], 0]  # (U,)
        scores = torch.addmm(bias, hidden, candidates.T)  # (P, U)
        losses, d_scores = value_and_gradient(self.loss, scores, rows.columns)

        share = 1 / (self.batch_size * len(flow.alive))
        d_x, d_layers = self.network.backward((d_scores @ candidates) * share, flow, tape)
        d_x = d_x if mask is None else d_x * mask
        d_output = torch.empty_like(output)  # (V, H)
        torch.mm(d_scores.T, hidden * share, out=d_output[: rows.n_candidates])
        d_output[rows.n_candidates :] = 0
        d_table = d_output if tied else torch.zeros_like(table)
        d_table.index_add_(0, at, d_x)

        d_bias = d_scores.sum(0)[:, None] * share  # (U, 1)
        gradients = {"output": (d_output, rows.rows), "bias": (d_bias, rows.rows[: rows.n_candidates])}
        if not tied:
            gradients["input"] = (d_table, table_rows)
        self._apply(gradients, d_layers)
        return float(losses.sum()) * share

    def _input_rows(self, inputs: Ints, rows: Rows, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rows that inputs are looked up in, their item numbers, and each input's place among
        them."""
        if self.network.architecture.mode == "tied":
            return output, rows.rows, rows.input_at
        table = self.network.tables["input"]
        distinct, at = torch.unique(torch.from_numpy(inputs).to(table.device), return_inverse=True)
        return table.index_select(0, distinct), distinct, at

    def _apply(self, gradients: dict[str, tuple[Tensor, Tensor]], d_layers: list[dict[str, Tensor]]) -> None:
        dense = {
            f"layers.{i}.{name}": part for i, layer in enumerate(d_layers) for name, part in layer.items()
        }
        if self.grad_clip:
            _clip([gradient for gradient, _ in gradients.values()] + list(dense.values()), self.grad_clip)
        for name, (gradient, touched) in gradients.items():
            self.optimiser.update(name, self.network.tables[name], gradient, touched)
        for i, layer in enumerate(self.network.layers):
            for name, parameter in layer.items():
                full_name = f"layers.{i}.{name}"
                self.optimiser.update(full_name, parameter, dense[full_name])

    def _flow(self, window: Window) -> Flow:
        output = self.network.tables["output"]
        keep = torch.from_numpy(~window.fresh).to(output.device, output.dtype)[:, None]
        return Flow(window.alive, keep, torch.from_numpy(window.source).to(output.device))


def _clip(gradients: list[Tensor], limit: float) -> None:
    """Scale gradients in place so that their global norm is at most `limit`. Source: Pascanu et al. 2013."""
    norm = float(torch.stack([gradient.norm() for gradient in gradients]).norm())
    if norm > limit:
        for gradient in gradients:
            gradient *= limit / norm
