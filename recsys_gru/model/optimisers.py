"""Optimisers that change only the rows a step has touched.

Dense parameters are the special case in which every row is touched. Gradients of duplicate rows are summed
before they come here. On the CPU, Adagrad runs as one fused pass (`kernels.rows.adagrad_by_factors`);
elsewhere, and for the other rules, the same formulas run on the gathered rows.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import on_kernels, turned
from recsys_gru.kernels.rows import Memory, Rates, adagrad_by_factors
from recsys_gru.model.rows import RowGradient

Slots = dict[str, Tensor]
NO_INPUTS = (np.empty(0, np.int64), np.empty((0, 0), np.float32))
NO_BIAS = np.empty(0, np.float32)


class Optimiser(ABC):
    """An update rule; its memory (slots) has the shape of each parameter and is kept by name for
    checkpoints."""

    slot_names: ClassVar[tuple[str, ...]]

    def __init__(self, learning_rate: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.parameters: dict[str, Tensor] = {}
        self.slots: dict[str, Slots] = {}

    def register(self, name: str, parameter: Tensor, memory: Slots | None = None) -> None:
        """Take charge of a parameter, which is changed in place from now on, with its memory, zeroed if not
        given."""
        self.parameters[name] = parameter
        known = memory or {}
        self.slots[name] = {
            slot: known[slot] if slot in known else torch.zeros_like(parameter)
            for slot in self.slot_names
            if self._needs(slot)
        }

    def update(self, name: str, gradient: Tensor, rows: Tensor | None = None) -> None:
        """Apply the gradient to the named rows (R,), distinct; `gradient` is (R, ...) or, without rows,
        whole."""
        parameter, slots = self.parameters[name], self.slots[name]
        if rows is None:
            self._step(parameter, slots, self._decayed(gradient, parameter))
            return
        part = parameter[rows]
        memory = {slot: values[rows] for slot, values in slots.items()}
        self._step(part, memory, self._decayed(gradient, part))
        parameter[rows] = part
        for slot, values in memory.items():
            slots[slot][rows] = values

    def apply(self, name: str, bias: str | None, gradient: RowGradient) -> None:
        """Apply a gradient that is given by its factors to a parameter and, if it has one, its bias, (N, 1)
        or (N,)."""
        self.update(name, gradient.of_rows(self.parameters[name]), gradient.rows)
        if bias is not None:
            part = gradient.of_biases().reshape(-1, *self.parameters[bias].shape[1:])
            self.update(bias, part, None if gradient.rows is None else gradient.rows[: len(part)])

    def _decayed(self, gradient: Tensor, parameter: Tensor) -> Tensor:
        return gradient + self.weight_decay * parameter if self.weight_decay else gradient

    def _move(self, parameter: Tensor, slots: Slots, direction: Tensor) -> None:
        if self.momentum:
            slots["velocity"].mul_(self.momentum).sub_(direction, alpha=self.learning_rate)
            parameter += slots["velocity"]
        else:
            parameter.sub_(direction, alpha=self.learning_rate)

    def _needs(self, slot: str) -> bool:
        return slot != "velocity" or self.momentum > 0

    @abstractmethod
    def _step(self, parameter: Tensor, slots: Slots, gradient: Tensor) -> None:
        """Change the parameter and its slots in place."""


class Adagrad(Optimiser):
    """acc += g^2; d = g / sqrt(acc + 1e-6); v = momentum v - lr d; p += v. Source: Duchi et al. 2011."""

    slot_names = ("sums", "velocity")
    eps = 1e-6

    def __init__(self, learning_rate: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, momentum, weight_decay)
        self.memory: dict[str, Memory] = {}
        """What the compiled loops change in place: each parameter, its sums and its velocity."""

    def register(self, name: str, parameter: Tensor, memory: Slots | None = None) -> None:
        super().register(name, parameter, memory)
        if on_kernels(parameter) and not self.weight_decay:
            slots = self.slots[name]
            velocity = slots.get("velocity", slots["sums"])  # unused without momentum
            w, acc, v = (values.numpy() for values in (parameter, slots["sums"], velocity))
            self.memory[name] = (w, acc, v)

    def apply(self, name: str, bias: str | None, gradient: RowGradient) -> None:
        if name not in self.memory:
            super().apply(name, bias, gradient)
            return
        memory = self.memory[name]
        w, acc, v = (NO_BIAS,) * 3 if bias is None else (x.reshape(-1) for x in self.memory[bias])
        rows = np.arange(len(memory[0])) if gradient.rows is None else gradient.rows.numpy()
        at, added = NO_INPUTS if gradient.inputs is None else (x.numpy() for x in gradient.inputs)
        delta = turned(gradient.delta)  # no copy of a gradient of scores
        factors = (delta.numpy(), gradient.operand.numpy(), at, added, np.float32(gradient.length))
        adagrad_by_factors(memory, (w, acc, v), rows, factors, self._rates(), n_threads())

    def _rates(self) -> Rates:
        # a double among the factors would make the whole loop one of doubles
        return np.float32(self.learning_rate), np.float32(self.momentum), np.float32(self.eps)

    def _step(self, parameter: Tensor, slots: Slots, gradient: Tensor) -> None:
        slots["sums"] += gradient * gradient
        self._move(parameter, slots, gradient / (slots["sums"] + self.eps).sqrt())


class RMSprop(Optimiser):
    """acc = .9 acc + .1 g^2; d = g / sqrt(acc + 1e-6), with momentum. Source: Tieleman & Hinton 2012."""

    slot_names = ("sums", "velocity")
    decay, eps = 0.9, 1e-6

    def _step(self, parameter: Tensor, slots: Slots, gradient: Tensor) -> None:
        slots["sums"].mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        self._move(parameter, slots, gradient / (slots["sums"] + self.eps).sqrt())


class SGD(Optimiser):
    """p -= lr g, with momentum."""

    slot_names = ("velocity",)

    def _step(self, parameter: Tensor, slots: Slots, gradient: Tensor) -> None:
        self._move(parameter, slots, gradient)


class Adam(Optimiser):
    """Adam whose bias correction counts a row's own updates, as rows are touched at different times. Source:
    Kingma & Ba 2015."""

    slot_names = ("mean", "sums", "count", "velocity")
    beta1, beta2, eps = 0.9, 0.999, 1e-8

    def _step(self, parameter: Tensor, slots: Slots, gradient: Tensor) -> None:
        slots["count"] += 1
        mean = slots["mean"].mul_(self.beta1).add_(gradient, alpha=1 - self.beta1)
        sums = slots["sums"].mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        mean = mean / (1 - self.beta1 ** slots["count"])
        sums = sums / (1 - self.beta2 ** slots["count"])
        self._move(parameter, slots, mean / (sums.sqrt() + self.eps))


OPTIMISERS: dict[str, type[Optimiser]] = {"adagrad": Adagrad, "adam": Adam, "rmsprop": RMSprop, "sgd": SGD}


def make_optimiser(name: str, learning_rate: float, momentum: float, weight_decay: float) -> Optimiser:
    """Return the named optimiser; raises ParameterError for a name it does not know."""
    if name not in OPTIMISERS:
        raise ParameterError(f"optimizer must be one of {', '.join(OPTIMISERS)}, not {name!r}")
    return OPTIMISERS[name](learning_rate, momentum, weight_decay)
