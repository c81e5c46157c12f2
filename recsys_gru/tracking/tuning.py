"""The search for better hyper-parameters: an Optuna study that can be stopped, resumed and shared."""

import hashlib
import json
import os
import platform
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, chdir
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from recsys_gru.arguments import name_text, whole_number
from recsys_gru.contract import Recommender, SearchSpace, new_recommender, recommender_class
from recsys_gru.engines import EngineLike, engine_in
from recsys_gru.errors import ParameterError
from recsys_gru.evaluation import Report, evaluate
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery import PROCESS, address, dead, store_at
from recsys_gru.tracking.run import run
from recsys_gru.tracking.tracker import Pruned, Tracker
from recsys_gru.tracking.tuned import METRIC, describe_study

if TYPE_CHECKING:
    from optuna import Study, Trial

    from recsys_gru.training import EpochReport

STARTUP_TRIALS, WARMUP_EPOCHS = 5, 1
NAMESPACE = uuid.UUID("6a1d1d3c-7f5e-4a52-9d0e-6f6d3a7c2b10")
"""Makes the names of studies into tickets; any other would do."""


@final
@dataclass(frozen=True)
class Search:
    """What is asked of a search.

    Attributes:
        kind: the recommender's class.
        fixed: hyper-parameters that are not searched.
        trials: finished trials wanted in all, those of earlier calls included.
        study: name under which the search can be resumed or shared, by whoever searches the same.
        data: name of the click log.
        seed: of the sampler; processes that share a study need different ones.
        key: of what is searched on what; ``of`` sets it.
    """

    kind: str
    fixed: dict[str, object] = field(default_factory=dict)
    trials: int = 30
    study: str = "tuning"
    data: str = "clicks"
    seed: int = 42
    key: str = ""

    def of(self, train: Sessions, validation: Sessions) -> "Search":
        """The same search with the key of what its trials' figures hang on: the sessions on both sides, the
        class, the fixed hyper-parameters and the space. Only trials of one key are compared."""
        said = [self.kind, self.fixed, self.space(), METRIC, train.fingerprint(), validation.fingerprint()]
        text = json.dumps(said, sort_keys=True, default=str)
        return replace(self, key=hashlib.sha256(text.encode()).hexdigest()[:12])

    @property
    def full_name(self) -> str:
        """The name under which the study is kept."""
        return f"{self.study} {self.key}".strip()

    def model(self, chosen: dict[str, object]) -> Recommender:
        """An unfitted model of the chosen hyper-parameters, the others as recommended."""
        from recsys_gru.recommender import with_recommended

        own = with_recommended(self.kind, {**chosen, **self.fixed})
        return new_recommender(recommender_class(self.kind), own)

    def space(self) -> SearchSpace:
        """What is searched.

        Raises:
            ParameterError: if nothing is left to search.
        """
        whole_number("trials", self.trials, 1)
        name_text("study", self.study)
        self.model({})
        space = recommender_class(self.kind).search_space()
        searched = {name: span for name, span in space.items() if name not in self.fixed}
        if not searched:
            raise ParameterError(
                f"{self.kind} has no hyper-parameter left to search: fix fewer, or choose another model"
            )
        return searched


def search(
    asked: Search,
    train: Sessions,
    validation: Sessions,
    *,
    where: str | os.PathLike[str] = "mlruns",
    say: Callable[[str], object] = lambda _: None,
    engine: EngineLike = "local",
) -> dict[str, object]:
    """Search until enough trials are finished; return the best trial's hyper-parameters.

    The first trial has the recommended setting, so the best is never worse on validation. Each trial is a run
    below the study's parent, whichever process or call made it; the study's plots are the parent's artifacts.

    A study goes on where it was left by the same search: of the same sessions, class, fixed hyper-parameters
    and space. Another one under the same name begins anew, and ``say`` tells which it is. With the engine
    "ray" each worker of a cluster makes trials of the one study, from a seed of its own.

    Raises:
        ParameterError: if there is nothing to search.
    """
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    asked, space = asked.of(train, validation), asked.space()
    with engine_in(engine) as moving:
        if moving.workers > 1:
            join = partial(_joined, asked, train, validation, where, Path.cwd())
            for told in moving.map(join, range(moving.workers)):
                say("\n".join(told))
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    with study_run(asked, where) as tracker:
        study = open_study(asked, store_at(where).folder)
        say(_found(asked, study))
        give_up_dead_trials(study)
        study.enqueue_trial(defaults(asked, space), skip_if_exists=True)
        if len(study.get_trials(deepcopy=False, states=ended)) < asked.trials:
            objective = Objective(asked, space, train, validation, tracker, say)
            study.optimize(objective, callbacks=[MaxTrialsCallback(asked.trials, states=ended)])
        describe_study(tracker.parent, asked.kind, asked.data, study)
    say(f"best {METRIC} {study.best_value:.4f} with {study.best_params}")
    return {**study.best_params, **asked.fixed}


def _joined(
    asked: Search,
    train: Sessions,
    validation: Sessions,
    where: str | os.PathLike[str],
    folder: Path,
    worker: int,
) -> list[str]:
    """One worker's share of a search, in the folder of the caller, on which relative paths hang."""
    told: list[str] = []
    with chdir(folder):
        search(replace(asked, seed=asked.seed + worker), train, validation, where=where, say=told.append)
    return told


def refit(
    asked: Search,
    best: dict[str, object],
    train: Sessions,
    test: Sessions,
    where: str | os.PathLike[str] = "mlruns",
) -> tuple[Recommender, Report]:
    """Fit the best hyper-parameters on all training data and test them, once, below the study's parent."""
    with study_run(asked, where) as tracker:
        tracker.child_name = f"best {asked.kind}"
        model = asked.model(best).fit(train)
        return model, evaluate(model, test, unknown="miss")


def study_run(asked: Search, where: str | os.PathLike[str]) -> AbstractContextManager[Tracker]:
    """The one parent run of a study; each study file has its own."""
    place = f"{platform.node()} {store_at(where).folder} {asked.full_name}"
    ticket = uuid.uuid5(NAMESPACE, place).hex
    return run(where, name=asked.study, data=asked.data, ticket=ticket)


def give_up_dead_trials(study: "Study") -> None:
    """Fail the trials whose process on this machine is gone, and queue their hyper-parameters again."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not dead(trial.user_attrs.get(PROCESS, "")):
            continue
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # another process was faster
            continue
        study.enqueue_trial(trial.system_attrs.get("fixed_params", trial.params))


@final
@dataclass(frozen=True, eq=False)
class Objective:
    """Fits a model of a trial's hyper-parameters; its value is the validation MRR@20."""

    asked: Search
    space: SearchSpace
    train: Sessions
    validation: Sessions
    tracker: Tracker
    say: Callable[[str], object]

    def __call__(self, trial: "Trial") -> float:
        """The value of one trial; a bad one is given up early."""
        from optuna import TrialPruned

        trial.set_user_attr(PROCESS, address())
        self.tracker.child_name = f"trial {trial.number}"
        self.tracker.child_tags = {"role": "trial", "trial": str(trial.number)}
        model = self.asked.model({name: suggest(trial, name, span) for name, span in self.space.items()})
        try:
            value = self._fitted_value(model, trial)
        except Pruned as pruned:
            self.say(f"trial {trial.number}: given up, {pruned}")
            raise TrialPruned(str(pruned)) from pruned
        self.say(f"trial {trial.number}: {METRIC} {value:.4f} {trial.params}")
        return value

    def _fitted_value(self, model: Recommender, trial: "Trial") -> float:
        from recsys_gru.recommender import GRU4Rec

        def report(epoch: "EpochReport") -> None:
            trial.report(epoch.metrics[METRIC], epoch.epoch)
            if trial.should_prune():
                raise Pruned(f"{METRIC} {epoch.metrics[METRIC]:.4f} after epoch {epoch.epoch}")

        if isinstance(model, GRU4Rec):
            model.fit(self.train, self.validation, on_epoch=report)
        else:
            model.fit(self.train)
        return evaluate(model, self.validation, unknown="miss").mrr[20]


def suggest(trial: "Trial", name: str, span: object) -> object:
    """Ask the study for a value of a span or of a list of choices."""
    if isinstance(span, list):
        return trial.suggest_categorical(name, span)
    kind, low, high, logarithmic = cast("tuple[str, float, float, bool]", span)
    if kind == "int":
        return trial.suggest_int(name, int(low), int(high), log=logarithmic)
    return trial.suggest_float(name, low, high, log=logarithmic)


def defaults(asked: Search, space: SearchSpace) -> dict[str, Any]:
    """The default value of everything that is searched."""
    parameters = asked.model({}).parameters()
    return {name: parameters[name] for name in space}


def open_study(asked: Search, folder: Path) -> "Study":
    """The study of this name in the folder, new or as far as it has come."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(folder / "optuna.log"))),
        study_name=asked.full_name,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(
            seed=asked.seed, n_startup_trials=STARTUP_TRIALS, constant_liar=True
        ),
        pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, WARMUP_EPOCHS),
    )


def _found(asked: Search, study: "Study") -> str:
    """Whether the study goes on or begins, in words."""
    from optuna import get_all_study_names

    done = len(study.get_trials(deepcopy=False))
    if done:
        return f"goes on with {asked.full_name!r}, {done} trials so far"
    others = [name for name in get_all_study_names(study._storage) if name.startswith(f"{asked.study} ")]
    beside = f"; {len(others) - 1} of that name are of other data or settings" if len(others) > 1 else ""
    return f"begins {asked.full_name!r}{beside}"
