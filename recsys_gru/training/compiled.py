"""The learner of the published model on the CPU: its updates run in one compiled loop."""

from collections.abc import Iterator
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.kernels.facts import Known
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.plans import Plan, Sizes
from recsys_gru.kernels.step import update_each
from recsys_gru.kernels.walk import Recipe, Trained
from recsys_gru.model import losses
from recsys_gru.model.candidates import SampledCandidates, steps_of
from recsys_gru.model.facts import Facts
from recsys_gru.model.losses import TINY
from recsys_gru.model.optimisers import Adagrad
from recsys_gru.training.data import TrainingData
from recsys_gru.training.lanes import Window
from recsys_gru.training.learner import Learner

NO_WEIGHTS = np.empty((0, 0), np.float32)
ADDED = ("labels", "projection")
NO_FACTS = Facts.nothing(0, 0)._replace(offsets=np.empty(0, np.int64))


class CompiledLearner(Learner):
    """A learner whose `run` does what `Learner.run` does, to the same bits of every weight, without Python in
    between."""

    def run(self, data: TrainingData, windows: list[Window], rates: NDArray[np.float64]) -> Iterator[float]:
        plan, sizes = self._plan(data, windows)
        (state,), trained, speeds = self.states, self._trained(), rates.astype(np.float32)
        given = (state[:0] if self.begun is None else self.begun.states[0]).numpy()
        losses: list[float] = []
        at = np.zeros(5, np.int64)
        for piece in self._pieces(windows):
            ahead = Sizes(*(one[piece] for one in sizes))
            amount = self._amount([lanes for window in windows[piece] for lanes in window.alive])
            with self.pace.work(amount):
                states = state.numpy(), given
                found, after = update_each(trained, plan, ahead, at, self._recipe(), states, speeds[piece])
            state = torch.from_numpy(after)
            losses += found.tolist()
            if not np.isfinite(losses[-1]):
                break
        self.states = [state]
        self.optimiser.learning_rate = float(rates[len(losses) - 1])
        return iter(losses)

    def _pieces(self, windows: list[Window]) -> Iterator[slice]:
        """Cut windows where the pace may be changed, as far as that is known before."""
        events = np.cumsum([0] + [len(window.at) for window in windows])
        begin = 0
        while begin < len(windows):
            end = max(int(np.searchsorted(events, events[begin] + self.pace.portion)), begin + 1)
            yield slice(begin, end)
            begin = end

    def _plan(self, data: TrainingData, windows: list[Window]) -> tuple[Plan, Sizes]:
        inputs, targets, samples, alive = self._events(data, windows)
        drawn = cast("SampledCandidates", self.candidates).draw(inputs, targets, samples, alive)
        steps = np.array([len(lanes) for lanes in alive])
        masks = (int(self.own_dropout.p > 0) + int(self.embed_dropout.p > 0)) * len(windows)
        masks += int(self.hidden_dropout.p > 0) * steps.sum()
        plan = Plan(
            drawn.inputs,
            drawn.input_at,
            drawn.target_at,
            drawn.target_log_q,
            steps_of(alive),
            np.concatenate([window.keep[:, 0] for window in windows]),
            np.concatenate([window.source for window in windows]),
            np.concatenate([self._given(window) for window in windows]),
            np.concatenate(alive),
            self.embed_dropout.keys(masks),
            drawn.rows,
            drawn.counts,
            drawn.weights,
            drawn.again_at,
            drawn.again[0 if self._recipe().bpr_max else 1],
            self._moments(data, windows),
            self._worth(data, windows),
        )
        return plan, Sizes(steps, drawn.n_candidates, drawn.n_rows)

    def _given(self, window: Window) -> NDArray[np.int64]:
        """Which given state each lane-step goes on from, -1 for none; empty where there are none."""
        if self.begun is None:
            return np.empty(0, np.int64)
        given = np.full(len(window.at), -1)
        places, which = self.begun.where(window)
        given[places] = which
        return given

    def _moments(self, data: TrainingData, windows: list[Window]) -> NDArray[np.int64]:
        """The labels of each lane-step's moment; no columns where none is told of."""
        if data.moment is None:
            return np.empty((sum(len(window.at) for window in windows), 0), np.int64)
        found: NDArray[np.int64] = data.moment[np.concatenate([window.at for window in windows])]
        return found

    def _worth(self, data: TrainingData, windows: list[Window]) -> NDArray[np.float32]:
        """What each target counts; empty where all count the same."""
        if data.worth is None:
            return np.empty(0, np.float32)
        found: NDArray[np.float32] = data.worth[np.concatenate([window.at for window in windows]) + 1]
        return found

    def _trained(self) -> Trained:
        memory = cast("Adagrad", self.optimiser).memory
        w, acc, v = (values.reshape(-1) for values in memory["bias"])
        layer = ("input", "input_bias", "recurrent", "recurrent_bias")
        nothing = (NO_WEIGHTS,) * 3
        readout, repeats = (memory.get(f"readout.{name}", nothing) for name in ("weights", "repeats"))
        labels, projection = (memory.get(f"facts.output.{name}", nothing) for name in ADDED)
        first, bias, recurrent, recurrent_bias = (memory[f"layers.0.{name}"] for name in layer)
        return Trained(
            memory["output"],
            (w, acc, v),
            readout,
            repeats,
            first,
            bias,
            recurrent,
            recurrent_bias,
            Known(self.network.facts or NO_FACTS, labels, projection),
            memory.get("moment.labels", nothing),
        )

    def _recipe(self) -> Recipe:
        options = cast("partial[object]", self.loss).keywords
        return Recipe(
            cast("partial[object]", self.loss).func is losses.bpr_max,
            np.float32(options.get("bpreg", 0)),
            np.float32(options.get("elu_param", 0)),
            np.float32(TINY),
            self.batch_size,
            self.own_dropout.p,
            self.embed_dropout.p,
            self.hidden_dropout.p,
            np.float32(self.optimiser.momentum),
            np.float32(Adagrad.eps),
            np.float32(self.network.architecture.scale),
            self.clicks_are_new,
            n_threads(),
        )
