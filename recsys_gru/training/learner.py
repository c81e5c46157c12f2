"""One update of the network: score the candidates, take the loss, change the rows it touched."""

from collections.abc import Iterator
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
from recsys_gru.model.rows import RowGradient, take_rows
from recsys_gru.model.sampling import NegativeSampler
from recsys_gru.training.lanes import Window

Whole = tuple[str, Tensor, Tensor | None]
"""A parameter's name, a gradient that is held whole, and the rows it belongs to, None for all."""


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

    def plan(self, items: NDArray[np.int32], windows: list[Window]) -> Iterator[tuple[Rows, Flow]]:
        """Draw the samples of some windows of events and collect their candidates, which depend on no
        weight."""
        at = np.concatenate([window.at for window in windows])
        counts = np.array([len(window.at) for window in windows])
        inputs, targets = items[at].astype(np.int64), items[at + 1].astype(np.int64)
        rows = self.candidates.collect(inputs, targets, self.sampler.draw(len(windows)), counts)
        return zip(rows, map(self._flow, windows), strict=True)

    def update(self, rows: Rows, flow: Flow) -> float:
        """Update the network on a window; return its loss, summed over events and divided by lanes and
        steps."""
        tables = self.network.tables
        tied = self.network.architecture.mode == "tied"
        output = take_rows(tables["output"], rows.rows)  # (V, H)
        table, table_rows, at = (output, rows.rows, rows.input_at) if tied else self._input_rows(rows.inputs)

        looked_up = table.index_select(0, at)  # (P, E)
        mask = self.embed_dropout.mask(looked_up)
        x = looked_up if mask is None else looked_up * mask
        hidden, self.states, tape = self.network.forward(x, flow, self.states, self.hidden_dropout)  # (P, H)
        candidates = output[: rows.n_candidates]  # (U, H)
        bias = take_rows(tables["bias"], rows.rows[: rows.n_candidates])[:, 0]  # (U,)
        scores = torch.addmm(bias, hidden, candidates.T)  # (P, U)
        losses, d_scores = value_and_gradient(self.loss, scores, rows.columns)

        share = 1 / (self.batch_size * len(flow.alive))
        d_hidden = (candidates.T @ d_scores.T).T.contiguous()  # a tenth faster than d_scores @ candidates
        d_hidden *= share
        d_x, d_layers = self.network.backward(d_hidden, flow, tape)
        d_x = d_x if mask is None else d_x * mask
        by_row = {"output": RowGradient(rows.rows, d_scores, hidden * share, (at, d_x) if tied else None)}
        if not tied:
            by_row["input"] = RowGradient(table_rows, d_scores[:, :0], d_x, (at, d_x))
        d_bias = d_scores.sum(0).mul_(share)[:, None]  # (U, 1)
        whole: list[Whole] = [("bias", d_bias, rows.rows[: rows.n_candidates])]
        whole += [
            (f"layers.{i}.{name}", d, None) for i, layer in enumerate(d_layers) for name, d in layer.items()
        ]
        self._apply(by_row, whole)
        return float(losses.sum()) * share

    def _input_rows(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rows of the input table that inputs are looked up in, their item numbers, and each
        input's place among them."""
        distinct, at = torch.unique(inputs, return_inverse=True)
        return self.network.tables["input"].index_select(0, distinct), distinct, at

    def _apply(self, by_row: dict[str, RowGradient], whole: list[Whole]) -> None:
        scale = _clip(by_row, whole, self.grad_clip) if self.grad_clip else 1.0
        for name, gradient in by_row.items():
            for touched, tile in gradient.tiles():
                self.optimiser.update(name, _scaled(tile, scale), touched)
        for name, part, rows in whole:
            self.optimiser.update(name, _scaled(part, scale), rows)

    def _flow(self, window: Window) -> Flow:
        output = self.network.tables["output"]
        keep = torch.from_numpy(window.keep).to(output.device, output.dtype)
        return Flow(window.alive, keep, torch.from_numpy(window.source).to(output.device))


def _clip(by_row: dict[str, RowGradient], whole: list[Whole], limit: float) -> float:
    """Return the factor that brings the global norm down to `limit`, or 1. Source: Pascanu et al. 2013."""
    norms = [tile.norm() for gradient in by_row.values() for _, tile in gradient.tiles()]
    norm = float(torch.stack(norms + [part.norm() for _, part, _ in whole]).norm())
    return min(1.0, limit / norm) if norm else 1.0


def _scaled(gradient: Tensor, scale: float) -> Tensor:
    return gradient if scale == 1 else gradient * scale
