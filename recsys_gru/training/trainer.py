"""Epochs over packed sessions: a generator of progress, so that whoever trains decides what to do with it."""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from recsys_gru.errors import CheckpointError, DivergedError
from recsys_gru.kernels.machine.jit import compilation
from recsys_gru.training.data import TrainingData
from recsys_gru.training.lanes import Window
from recsys_gru.training.learner import Learner
from recsys_gru.training.settings import SCHEDULES, Settings

log = logging.getLogger("recsys_gru")

PAUSE = 64
"""Updates between two reports of progress."""


@dataclass
class Position:
    """How far training has come; with the learner's own state, all that is needed to go on from here."""

    epoch: int = 0
    updates: int = 0
    """Updates made in this epoch."""
    events: int = 0
    """Events learned from in this epoch."""
    loss: float = 0.0
    """Loss summed over this epoch's steps."""
    steps: int = 0
    seconds: float = 0.0
    """Time spent on this epoch, over all processes that worked on it, without compiling."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch did.

    `loss` is the mean over steps of the loss summed over lanes and divided by batch_size; `metrics` holds the
    validation
    figures, such as recall_at_20, where there was a validation log.
    """

    epoch: int
    """From 1."""
    loss: float
    events: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def events_per_second(self) -> float:
        """Predicted events per second of training."""
        return self.events / self.seconds if self.seconds else 0.0


def train_epoch(
    learner: Learner, data: TrainingData, settings: Settings, at: Position, pause: int = PAUSE
) -> Iterator[Position]:
    """Learn from the rest of the epoch `at` stands in, changing `at`; yield it after every `pause` updates,
    and at the epoch's end.

    At a yield the learner and `at` belong together: a checkpoint may be taken. Raises DivergedError at the
    first loss that is not finite, CheckpointError where this epoch has no such position or other lanes.
    """
    lanes = settings.lanes(data.offsets)
    learner.clicks_are_new = at.epoch < learner.new_epochs
    if at.updates == 0:
        learner.begin_epoch(lanes.alive, data.context)
    schedule = SCHEDULES[settings.lr_schedule]
    before_this, total = at.epoch * data.pairs, max(settings.n_epochs * data.pairs, 1)
    started, before = time.perf_counter(), at.seconds
    done, walked = 0, list[Window]()
    with compilation() as compiled:
        for windows in lanes.stretches(settings.steps_per_update, pause):
            skipped = max(at.updates - done, 0)
            walked += windows[:skipped]
            ahead = windows[skipped:]
            done += len(windows)
            if not ahead:
                continue
            if walked:
                _require_resumable(learner, at, walked)
                walked = []
            begun = before_this + at.events + np.cumsum([0] + [sum(window.alive) for window in ahead[:-1]])
            rates = np.array([settings.learning_rate * schedule(events / total) for events in begun.tolist()])
            for window, loss in zip(ahead, learner.run(data, ahead, rates), strict=True):
                if not math.isfinite(loss):
                    raise DivergedError(_advice(loss, at, settings))
                at.updates += 1
                at.events += sum(window.alive)
                at.steps += len(window.alive)
                at.loss += loss * len(window.alive)
            at.seconds = before + time.perf_counter() - started - compiled.seconds
            yield at
        if walked or at.updates > done:
            _require_resumable(learner, at, walked)
        if compiled.seconds > 1:
            log.info(
                "compiled the loops in %.0f s: once on a machine, in no epoch's seconds", compiled.seconds
            )


def end_epoch(at: Position, metrics: dict[str, float]) -> EpochReport:
    """Close the epoch: return its report and set `at` to the start of the next."""
    report = EpochReport(at.epoch + 1, at.loss / max(at.steps, 1), at.events, at.seconds, metrics)
    at.epoch, at.updates, at.events, at.steps, at.loss, at.seconds = at.epoch + 1, 0, 0, 0, 0.0, 0.0
    return report


def _require_resumable(learner: Learner, at: Position, walked: list[Window]) -> None:
    """Raise CheckpointError unless these windows lead to this position: compiled loops believe the lanes."""
    steps = sum(len(window.alive) for window in walked)
    events = sum(sum(window.alive) for window in walked)
    lanes = walked[-1].alive[-1] if walked else 0
    expected = (len(walked), steps, events, {lanes})
    found = (at.updates, at.steps, at.events, {len(state) for state in learner.states})
    if found != expected:
        raise CheckpointError(
            f"the checkpoint is of no such run: expected updates, steps, events and lanes {expected}, got "
            f"{found}; delete it to train from the start"
        )


def _advice(loss: float, at: Position, settings: Settings) -> str:
    return (
        f"training stopped: the loss became {loss} in epoch {at.epoch + 1} at step {at.steps + 1}; "
        f"lower learning_rate (now {settings.learning_rate}) or momentum (now {settings.momentum}), "
        "set grad_clip=1.0, or use loss='cross-entropy'"
    )
