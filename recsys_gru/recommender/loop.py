"""The training loop of fit: epochs, validation, early stopping, checkpoints and progress."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.arguments import flag, place, whole_number
from recsys_gru.contract import NO_PAIR, prefix_ends
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation import evaluate
from recsys_gru.model.facts import Facts
from recsys_gru.observers import EpochEnded, announce
from recsys_gru.recommender.recency import Forgetting
from recsys_gru.sessions import Sessions
from recsys_gru.training import (
    PAUSE,
    WAYS,
    Alone,
    Checkpoints,
    EpochReport,
    GoingOn,
    Learner,
    Parallel,
    Position,
    Run,
    Settings,
    TrainingData,
    end_epoch,
    share_of,
    way_of,
)

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender

OnEpoch = Callable[[EpochReport], None]
CUTOFFS = (5, 10, 20)
CHECKPOINT_FORMAT = 2
"""Raised when a checkpoint holds something else than before: older ones are then refused."""
SINCE_THEN = ("scale", "look_back", "repeats", "dropout_p_own", "boost_new", "context", "target_weights")
"""Settings that checkpoints of this format had not at first: where they are off, older ones go on."""
WATCHED = "mrr_at_20"
"""The validation metric that early stopping watches."""
NOT_DIVIDED = "not divided among processes yet. What to do: take parallel='exact' or 'fast'"
Pulse = Callable[[Position], None]


@dataclass(frozen=True)
class Loop:
    """What one call of fit was asked to do beside learning, checked before it begins."""

    settings: Settings
    patience: int | None = None
    checkpoint_dir: str | os.PathLike[str] | None = None
    checkpoint_every: int | None = None
    forgetting: Forgetting = field(default_factory=Forgetting)
    on_epoch: OnEpoch | None = None
    progress: bool = False
    parallel: Parallel | None = None

    def __post_init__(self) -> None:
        """Raise ParameterError at the first impossible value."""
        for name, unit in (("patience", "epochs"), ("checkpoint_every", "updates")):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, whole_number(name, value))
                if value < 1:
                    raise ParameterError(f"{name} must be 1 or more {unit}, not {value}")
        if self.checkpoint_dir is not None:
            object.__setattr__(self, "checkpoint_dir", place("checkpoint_dir", self.checkpoint_dir))
        if self.parallel not in WAYS:
            raise ParameterError(f"parallel must be exact, fast, divided or None, not {self.parallel!r}")
        if self.parallel == "divided":
            self._require_divisible()
        if self.on_epoch is not None and not callable(self.on_epoch):
            raise ParameterError(f"expected on_epoch as a function of an EpochReport, got {self.on_epoch!r}")
        object.__setattr__(self, "progress", flag("progress", self.progress))

    def but_with(
        self, folder: str | os.PathLike[str] | None, every: int | None, parallel: Parallel | None
    ) -> "Loop":
        """The same with these checkpoints, and this way to train, where they are not None."""
        own: dict[str, Any] = {"checkpoint_dir": folder, "checkpoint_every": every, "parallel": parallel}
        return replace(self, **{name: value for name, value in own.items() if value is not None})

    def alone(self) -> "Loop":
        """The same without what only `fit` has: a validation log to watch, and checkpoints."""
        return replace(self, patience=None, checkpoint_dir=None, checkpoint_every=None)

    def learner(
        self,
        support: NDArray[np.int64],
        n_lanes: int,
        device: torch.device,
        going_on: GoingOn | None,
        known: tuple[Facts, int] | None,
        n_moments: int,
    ) -> Learner:
        """Return what learns: see `Settings.learner`; of the item tables it has what this process is to have.

        Raises:
            ParameterError: if tables are to be divided, and facts are known, or it is in no group of
                processes.
        """
        if self.parallel == "divided" and known is not None:
            raise ParameterError(f"facts about items are {NOT_DIVIDED}")
        share = share_of(self.parallel)
        return self.settings.learner(support, n_lanes, device, going_on, known, n_moments, share)

    def train(
        self,
        model: "Recommender",
        learner: Learner,
        sessions: Sessions,
        validation: Sessions | None,
        moment: NDArray[np.int64] | None = None,
        worth: NDArray[np.float32] | None = None,
    ) -> tuple[EpochReport, ...]:
        """Train to the end, from the last checkpoint if there is one; return the epochs' reports. Of each
        event's `moment` these labels (E, C) are known; as a target it counts what it is `worth` (E,)."""
        data = TrainingData.of(sessions.items, sessions.offsets, sessions.counted, moment, worth)
        self._require(data, validation)
        with learner.network.copies.changing():
            return self._train(model, way_of(self.parallel, learner, data), sessions, validation)

    def _train(
        self,
        model: "Recommender",
        way: Alone,
        sessions: Sessions,
        validation: Sessions | None,
    ) -> tuple[EpochReport, ...]:
        learner, data = way.learner, way.data
        checkpoints = self._checkpoints(sessions, validation, way)
        run = (checkpoints.read(learner) if checkpoints else None) or Run()
        while run.position.epoch < self.settings.n_epochs and not self._is_over(run):
            every = self.checkpoint_every
            pause, saved = min(PAUSE, every or PAUSE), run.position.updates
            for at in self._watched(way.epoch(self.settings, run.position, pause), data):
                if checkpoints and every and way.exchange.any(at.updates - saved >= every):
                    checkpoints.write(learner, run)
                    saved = at.updates
            self._close_epoch(model, way, run, validation)
            if checkpoints:
                checkpoints.write(learner, run)
        for name, parameter in learner.network.parameters():
            if name in run.best:
                parameter.copy_(run.best[name])
        return tuple(run.history)

    def _close_epoch(self, model: "Recommender", way: Alone, run: Run, validation: Sessions | None) -> None:
        learner = way.learner
        way.close(run.position)
        with learner.network.copies.resting():
            metrics = {} if validation is None else way.exchange.of_first(_figures(model, validation))
        report = end_epoch(run.position, metrics)
        if self.patience is not None and metrics[WATCHED] > max(
            [past.metrics.get(WATCHED, -1) for past in run.history], default=-1
        ):
            run.best = {name: values.clone() for name, values in learner.network.parameters()}
            run.best_epoch = report.epoch
        run.history.append(report)
        announce(EpochEnded(model, report))
        if self.on_epoch:
            self.on_epoch(report)

    def _is_over(self, run: Run) -> bool:
        return self.patience is not None and len(run.history) - run.best_epoch >= self.patience

    def _require_divisible(self) -> None:
        if self.settings.loss == "softmax":
            raise ParameterError(f"softmax scores every item, and its rows are {NOT_DIVIDED}")
        if self.checkpoint_dir is not None:
            raise ParameterError(f"checkpoints are {NOT_DIVIDED}, or checkpoint_dir=None")

    def _require(self, data: TrainingData, validation: Sessions | None) -> None:
        if self.parallel == "divided" and validation is not None:
            raise ParameterError(
                "a validation log cannot be ranked where item tables are divided among processes. What to "
                "do: save the model, load it, and evaluate it"
            )
        if data.pairs == 0:
            raise ClickLogError(NO_PAIR)
        if self.patience is not None and validation is None:
            raise ParameterError(
                "patience needs a validation log to watch: fit(train, validation=...), or patience=None"
            )

    def _checkpoints(self, sessions: Sessions, validation: Sessions | None, way: Alone) -> Checkpoints | None:
        if self.checkpoint_dir is None:
            return None
        held_out = validation.fingerprint() if validation else None
        values = asdict(self.settings)
        settings = {name: value for name, value in values.items() if value or name not in SINCE_THEN}
        facts = [CHECKPOINT_FORMAT, settings, self.patience, sessions.fingerprint(), held_out]
        if (known := way.learner.network.facts) is not None:
            facts.append([hashlib.sha256(values.tobytes()).hexdigest() for values in known])
        if way.apart:
            facts.append(way.exchange.size)
        name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        return Checkpoints(self.checkpoint_dir, name, way.exchange, apart=way.apart)

    def _watched(self, positions: Iterator[Position], data: TrainingData) -> Iterator[Position]:
        with _bar(self.settings.n_epochs, data.pairs, draw=self.progress) as pulse:
            for at in positions:
                pulse(at)
                yield at


def _figures(model: "Recommender", validation: Sessions) -> dict[str, float]:
    return evaluate(model, validation, CUTOFFS, unknown="miss").figures()


def lanes_needed(sessions: Sessions, settings: Settings) -> int:
    """Return how many lanes the first step has: no more than sessions with something to predict."""
    ends = prefix_ends(sessions, every=True)
    owners = np.searchsorted(sessions.offsets, ends, side="right")
    return min(settings.batch_size, int(np.count_nonzero(np.diff(owners, prepend=-1))))


@contextmanager
def _bar(n_epochs: int, pairs: int, *, draw: bool) -> Iterator[Pulse]:
    """Draw one epoch's progress: loss, events per second and time left; nothing where there is no
    terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (draw and console.is_terminal)) as bar:
        task = bar.add_task("epoch", total=pairs, figures="")

        def pulse(at: Position) -> None:
            figures = (
                f"loss {at.loss / max(at.steps, 1):.4f}  {at.events / max(at.seconds, 1e-9):,.0f} events/s"
            )
            bar.update(
                task, description=f"epoch {at.epoch + 1}/{n_epochs}", completed=at.events, figures=figures
            )

        yield pulse
