"""The hyper-parameters of a GRU4Rec, checked once, and the parts they build."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.errors import ParameterError
from recsys_gru.model import losses
from recsys_gru.model.architecture import Architecture, InputMode
from recsys_gru.model.candidates import Candidates, EveryItem, SampledCandidates
from recsys_gru.model.cells import CELLS
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.facts import Facts
from recsys_gru.model.losses import Loss
from recsys_gru.model.network import Network
from recsys_gru.model.optimisers import OPTIMISERS, Slots, make_optimiser
from recsys_gru.model.sampling import NegativeSampler
from recsys_gru.model.share import WHOLE, Share
from recsys_gru.training.compiled import CompiledLearner
from recsys_gru.training.lanes import Lanes
from recsys_gru.training.learner import Learner

Support = NDArray[np.int64] | NDArray[np.float64]
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}
"""Share of the learning rate by the share of training done, both in [0, 1]."""


class GoingOn(NamedTuple):
    """What is learned on from: a network, its optimiser's memory, and, in a stream, a number that tells how
    far it came, so that each piece draws samples of its own."""

    network: Network
    slots: dict[str, Slots]
    learned: int | None = None
    clicks_are_new: bool = True


@dataclass(frozen=True)
class Settings:
    """Published names and defaults of GRU4Rec's parameters, then ours. GRU4Rec's docstring explains each."""

    layers: tuple[int, ...] = (100,)
    loss: str = "cross-entropy"
    batch_size: int = 64
    dropout_p_own: float = 0.0
    boost_new: float | None = None
    dropout_p_embed: float = 0.0
    dropout_p_hidden: float = 0.0
    learning_rate: float = 0.05
    momentum: float = 0.0
    sample_alpha: float = 0.5
    n_sample: int = 2048
    embedding: int | Literal["layersize"] = 0
    constrained_embedding: bool = True
    n_epochs: int = 10
    bpreg: float = 1.0
    elu_param: float = 0.5
    logq: float = 0.0
    cell: str = "gru"
    optimizer: str = "adagrad"
    grad_clip: float = 0.0
    weight_decay: float = 0.0
    lr_schedule: str = "constant"
    label_smoothing: float = 0.0
    gbce_calibration: float = 0.75
    exclude_hits: bool = False
    steps_per_update: int = 1
    scale: float = 0.0
    look_back: int = 0
    repeats: int = 0
    context: tuple[str, ...] = ()
    target_weights: Mapping[str, Mapping[str, float]] | None = None
    seed: int = 42

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Return the settings among some values; raises ParameterError at the first impossible one."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    def __post_init__(self) -> None:
        """Raise ParameterError at the first impossible value."""
        losses.require_loss(self.loss)
        for names, holds, expected in RULES:
            for name in names.split():
                if not holds(getattr(self, name)):
                    raise ParameterError(f"{name} must be {expected}, not {getattr(self, name)!r}")
        self._require_fit_together()

    def _require_fit_together(self) -> None:
        if self.mode == "one-hot" and self.dropout_p_embed:
            raise ParameterError(
                "a one-hot input has no looked-up row to drop: dropout_p_embed must be 0, "
                f"not {self.dropout_p_embed}; set it to 0, or use constrained_embedding=True or an embedding"
            )
        if self.look_back and self._input_width != self.layers[-1]:
            raise ParameterError(
                f"look_back={self.look_back} adds input rows to the last layer's output: expected rows of "
                f"its width, {self.layers[-1]}, got {self._input_width or 'a one-hot input without rows'}; "
                "use constrained_embedding=True, an embedding of that width, or look_back=0"
            )
        if strange := sorted(set(self.target_weights or ()) - set(self.context)):
            raise ParameterError(
                f"target_weights names {strange[0]!r}, expected columns of context: {self.context}"
            )
        if self.n_sample == 0 and self.batch_size == 1 and self.loss != "softmax":
            raise ParameterError("batch_size=1 with n_sample=0 leaves no negatives: raise either of them")
        if self.label_smoothing and (self.exclude_hits or self.repeats):
            raise ParameterError("label_smoothing does not go together with exclude_hits or repeats")

    @property
    def mode(self) -> InputMode:
        """How an item enters the first layer."""
        if self.constrained_embedding:
            return "tied"
        return "separate" if self.embedding else "one-hot"

    @property
    def _input_width(self) -> int:
        """Of an item's input row; 0 where the input is one-hot."""
        separate = self.layers[0] if self.embedding == "layersize" else int(self.embedding)
        return self.layers[-1] if self.mode == "tied" else separate

    @property
    def halves(self) -> tuple[int, int]:
        """Epochs over a part of a log, and then over the whole."""
        return max(1, self.n_epochs // 2), max(1, self.n_epochs - self.n_epochs // 2)

    @property
    def needs_negatives(self) -> bool:
        """Whether a lone lane has nothing to be compared with."""
        return self.n_sample == 0 and self.loss != "softmax"

    def architecture(self, n_items: int) -> Architecture:
        """Return the shape of the network over N items."""
        separate = self._input_width if self.mode == "separate" else 0
        options = self.cell, self.scale, self.look_back, self.repeats
        return Architecture(n_items, self.layers, self.mode, separate, *options)

    def lanes(self, offsets: NDArray[np.int64]) -> Lanes:
        """Return the schedule of one epoch over sessions between these offsets."""
        return Lanes(offsets, self.batch_size, fewest=2 if self.needs_negatives else 1)

    def learner(
        self,
        support: Support,
        n_lanes: int,
        device: torch.device,
        going_on: GoingOn | None = None,
        known: tuple[Facts, int] | None = None,
        n_moments: int = 0,
        share: Share = WHOLE,
    ) -> Learner:
        """Return an untrained network, or the one to go on with, with all that trains it.

        Samples follow `support` (N,); every generator comes from `seed` and, where it goes on, from what was
        learned before. What is `known` are facts about the items, and how many labels they have; the own row
        of an item without a click is zeros then. Moments have `n_moments` labels. Of the item tables a
        `share` is kept.
        """
        learned = None if going_on is None else going_on.learned
        seed = self.seed if learned is None else (self.seed, learned)
        for_weights, for_samples, for_dropout = np.random.SeedSequence(seed).spawn(3)
        optimiser = make_optimiser(self.optimizer, self.learning_rate, self.momentum, self.weight_decay)
        if going_on is None:
            architecture = self.architecture(len(support))
            network = Network(architecture, generator=_torch_generator(for_weights), share=share)
            if known is not None:
                network.know(*known)
                network.clear(np.flatnonzero(support == 0))
            if n_moments:
                network.feel(n_moments)
            network = network.to(device)
        else:
            network = going_on.network.to(device)
        for name, parameter in network.parameters():
            optimiser.register(name, parameter, None if going_on is None else going_on.slots[name])
        dropping = np.random.Generator(np.random.PCG64(for_dropout))
        n_sample = 0 if self.loss == "softmax" else self.n_sample
        kind = CompiledLearner if self._is_published(device) else Learner
        return kind(
            network=network,
            optimiser=optimiser,
            loss=self.loss_function(len(support)),
            candidates=self._candidates(support, device),
            sampler=NegativeSampler(support, n_sample, alpha=self.sample_alpha, seed=for_samples),
            own_dropout=Dropout(0.0 if network.facts is None else self.dropout_p_own, dropping),
            embed_dropout=Dropout(self.dropout_p_embed, dropping),
            hidden_dropout=Dropout(self.dropout_p_hidden, dropping),
            batch_size=self.batch_size,
            grad_clip=self.grad_clip,
            new_epochs=1 if going_on is None or going_on.clicks_are_new else 0,
            states=network.zero_states(n_lanes),
        )

    def loss_function(self, n_items: int) -> Loss:
        """Return the loss with its options bound; "softmax" is cross-entropy over every item."""
        if self.loss in ("cross-entropy", "softmax"):
            return partial(losses.cross_entropy, smoothing=self.label_smoothing)
        if self.loss == "bpr-max":
            return partial(losses.bpr_max, bpreg=self.bpreg, elu_param=self.elu_param)
        if self.loss == "gbce":
            n_negatives = max(self.n_sample + self.batch_size - 1, 1)
            return partial(losses.gbce, beta=losses.gbce_beta(n_negatives, n_items, self.gbce_calibration))
        return {"bpr": losses.bpr, "top1": losses.top1, "top1-max": losses.top1_max}[self.loss]

    def _is_published(self, device: torch.device) -> bool:
        """Whether these are settings of the published model on the CPU, which the compiled loop trains."""
        loss = self.loss == "bpr-max" or (self.loss == "cross-entropy" and not self.label_smoothing)
        network = self.mode == "tied" and self.cell == "gru" and len(self.layers) == 1
        optimiser = self.optimizer == "adagrad" and not self.weight_decay and not self.grad_clip
        return loss and network and optimiser and not self.exclude_hits and device.type == "cpu"

    def _candidates(self, support: Support, device: torch.device) -> Candidates:
        own: dict[str, Any] = {"look_back": self.look_back, "repeats": self.repeats, "device": device}
        if self.loss == "softmax":
            return EveryItem(support, **own)
        logq = self.logq if self.loss == "cross-entropy" else 0.0
        return SampledCandidates(
            support,
            tied=self.mode == "tied",
            logq=logq,
            alpha=self.sample_alpha,
            smoothing=self.label_smoothing > 0,
            exclude_hits=self.exclude_hits,
            drawn=(self.n_sample, self.batch_size - 1),
            **own,
        )


MOST_UNITS, MOST_ROWS = 100_000, 10_000_000
"""What no machine holds is a slip of the keyboard, and better said before memory is asked for."""


def _torch_generator(seed: np.random.SeedSequence) -> torch.Generator:
    (state,) = seed.generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) % 2**63)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_real(
    value: object, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return above < value < below and value >= least


RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("layers", lambda v: bool(v) and all(_is_count(units, 1) for units in v), "sizes above 0"),
    ("layers", lambda v: all(units <= MOST_UNITS for units in v), f"sizes of at most {MOST_UNITS:,}"),
    ("batch_size n_epochs steps_per_update", lambda v: _is_count(v, 1), "a whole number above 0"),
    ("n_sample seed look_back repeats", lambda v: _is_count(v, 0), "a whole number, 0 or more"),
    ("batch_size n_sample", lambda v: v <= MOST_ROWS, f"at most {MOST_ROWS:,}"),
    (
        "dropout_p_own dropout_p_embed dropout_p_hidden momentum label_smoothing",
        lambda v: _is_real(v, least=0, below=1),
        "from 0 to below 1",
    ),
    (
        "sample_alpha bpreg elu_param logq grad_clip weight_decay scale",
        lambda v: _is_real(v, least=0),
        "0 or more",
    ),
    ("learning_rate", lambda v: _is_real(v, above=0), "above 0"),
    ("boost_new", lambda v: v is None or _is_real(v), "a number, or None"),
    ("gbce_calibration", lambda v: _is_real(v, least=0) and v <= 1, "from 0 to 1"),
    ("cell", CELLS.__contains__, f"one of {', '.join(CELLS)}"),
    ("optimizer", OPTIMISERS.__contains__, f"one of {', '.join(OPTIMISERS)}"),
    ("lr_schedule", SCHEDULES.__contains__, f"one of {', '.join(SCHEDULES)}"),
    (
        "target_weights",
        lambda v: (
            v is None or all(_is_real(one, least=0) for weights in v.values() for one in weights.values())
        ),
        "weights of 0 or more by label and column",
    ),
    (
        "context",
        lambda v: len(set(v)) == len(v) and all(v),
        "names of different columns",
    ),
    ("embedding", lambda v: v == "layersize" or _is_count(v, 0), "a width or 'layersize'"),
)
"""Names of hyper-parameters, what their values must fulfil, and how to say it."""
