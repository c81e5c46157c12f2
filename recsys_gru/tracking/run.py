"""Keep every fit and evaluation of a block as MLflow runs: a parent, and one child for each fit."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

from recsys_gru.contract import Recommender
from recsys_gru.evaluation import Report, ReportPage, intervals, report_page, write_report
from recsys_gru.observers import EpochEnded, Evaluated, Event, FitEnded, FitStarted, listening
from recsys_gru.sessions import Sessions
from recsys_gru.tracking import facts
from recsys_gru.tracking.courier import Courier
from recsys_gru.tracking.fit_page import FitPage
from recsys_gru.tracking.outbox import Outbox, Target
from recsys_gru.tracking.records import Ended, Fed, Filed, Logged, Opened, as_text, named, now
from recsys_gru.tracking.store import EXPERIMENT, store_at

if TYPE_CHECKING:
    from recsys_gru.ranking import ItemFilter, Scorer
    from recsys_gru.tracking.notebook import Notebook
    from recsys_gru.training import EpochReport

FIT_PAGE = "training.html"
PARTS = {"test": "", "validation": ", validation part"}


class Pruned(Exception):  # noqa: N818 - a decision, not an error
    """Raised from ``on_epoch`` to give up a fit that is not worth its time; its run ends as killed."""


@final
class Run:
    """One MLflow run; what it is told goes out in the background, or into a notebook.

    Args:
        courier: carries records to the store.
        outbox: keeps files until they are carried.
        ticket: that an earlier run was opened with, to go on with that one.
    """

    def __init__(
        self, courier: "Courier | Notebook", outbox: "Outbox | Notebook", ticket: str | None = None
    ) -> None:
        self.ticket = ticket or uuid.uuid4().hex
        self._courier, self._outbox = courier, outbox
        self.began = time.monotonic()
        self.data: dict[str, int | str] = {}
        self.epochs: list[EpochReport] = []

    def open(self, name: str, tags: Mapping[str, str], parent: "Run | None" = None) -> None:
        """Begin."""
        self._courier.put(Opened(self.ticket, name, now(), dict(tags), parent.ticket if parent else None))

    def log(
        self,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, object] | None = None,
        step: int = 0,
    ) -> None:
        """Log any number of values at once; the step is the epoch."""
        moment = now()
        points = [(key, float(value), moment, step) for key, value in (metrics or {}).items()]
        self._courier.put(Logged(self.ticket, points, as_text(params), as_text(tags)))

    def feed(self, sessions: Sessions, name: str, context: str) -> None:
        """Note the sessions this run worked on."""
        self._courier.put(Fed(self.ticket, name, sessions.fingerprint(), facts.profile(sessions), context))

    def file(self, name: str, write: Callable[[Path], object], place: str = "") -> None:
        """Keep the file or folder that ``write`` makes at the path it is given."""
        path = self._outbox.file(name)
        write(path)
        self._courier.put(Filed(self.ticket, str(path.relative_to(self._outbox.folder)), place))

    def end(self, status: str = "FINISHED") -> None:
        """Close."""
        self._courier.put(Ended(self.ticket, status, now()))


@final
class Tracker:
    """Turns what fits and evaluations announce into runs below one parent.

    Attributes:
        parent: the run of the whole block.
        child_name: name of the runs opened from now on; else the model's class.
        child_tags: their tags; a role of trial makes evaluations count as validation.
    """

    def __init__(self, new_run: Callable[[str | None], Run], data: str, ticket: str | None = None) -> None:
        self.parent = new_run(ticket)
        self._new_run, self._data = new_run, data
        self._runs: list[tuple[object, Run]] = []
        self._fitting: list[object] = []
        self.child_name: str | None = None
        self.child_tags: Mapping[str, str] = {"role": "model"}

    def run_of(self, model: object) -> Run:
        """The run of a model's last fit; one is opened for a model fitted elsewhere."""
        for known, run in reversed(self._runs):
            if known is model:
                return run
        run = self._child(model)
        run.end()
        return run

    def hear(self, event: Event) -> None:
        """Take one announced event."""
        match event:
            case FitStarted():
                self._fit_started(event)
            case EpochEnded():
                self._epoch_ended(event)
            case FitEnded():
                self._fit_ended(event)
            case Evaluated() if not any(model is event.model for model in self._fitting):
                self._evaluated(event)

    def _child(self, model: object) -> Run:
        run, kind = self._new_run(None), type(model).__name__
        tags = {**self.child_tags, "model": kind, "data": self._data, **facts.surroundings()}
        run.open(self.child_name or kind, tags, self.parent)
        if isinstance(model, Recommender):
            run.log(params=model.parameters())
        self._runs.append((model, run))
        return run

    def _fit_started(self, event: FitStarted) -> None:
        run, train = self._child(event.model), cast("Sessions", event.train)
        self._fitting.append(event.model)
        run.data = facts.profile(train)
        run.feed(train, self._data, "training")
        if isinstance(event.validation, Sessions):
            run.feed(event.validation, self._data, "validation")
        run.log(tags={f"data.{name}": value for name, value in run.data.items()})
        facts.load_of_this_process()

    def _epoch_ended(self, event: EpochEnded) -> None:
        report = cast("EpochReport", event.report)
        self._tell(self.run_of(event.model), report, facts.load_of_this_process())

    def _tell(self, run: Run, epoch: "EpochReport", load: Mapping[str, float]) -> None:
        metrics = {
            "train/loss": epoch.loss,
            "train/events_per_second": epoch.events_per_second,
            "train/seconds": epoch.seconds,
            **load,
        }
        metrics |= {f"valid/{name}": value for name, value in epoch.metrics.items()}
        run.epochs.append(epoch)
        run.log(metrics, step=epoch.epoch)

    def _fit_ended(self, event: FitEnded) -> None:
        run = self.run_of(event.model)
        self._fitting = [model for model in self._fitting if model is not event.model]
        if event.error is None:
            self._tell_before(event.model, run)
        run.log({"train/total_seconds": time.monotonic() - run.began, **facts.load_of_this_process()})
        run.file(FIT_PAGE, self._fit_page(event, run).write)
        if event.error is not None:
            run.log(tags={"error": f"{type(event.error).__name__}: {event.error}"})
        elif isinstance(event.model, Recommender):
            run.file("model", event.model.save, "model")
        run.end(_status(event.error))

    def _tell_before(self, model: object, run: Run) -> None:
        """Tell the epochs that lie before the checkpoint with which the fit began: nobody heard them."""
        heard = {epoch.epoch for epoch in run.epochs}
        for epoch in vars(model).get("history_", ()):
            if epoch.epoch not in heard:
                self._tell(run, epoch, {})
        run.epochs.sort(key=lambda epoch: epoch.epoch)

    def _evaluated(self, event: Evaluated) -> None:
        known = any(model is event.model for model, _ in self._runs)
        report, run = cast("Report", event.report), self.run_of(event.model)
        if not known and isinstance(event.model, Recommender):
            run.file("model", event.model.save, "model")
        part = "validation" if self._on_trial else "test"
        if isinstance(event.test, Sessions):
            run.feed(event.test, self._data, part)
        if self._on_trial:
            step = run.epochs[-1].epoch if run.epochs else 0
            run.log({f"valid/{name}": value for name, value in report.figures().items()}, step=step)
        else:
            metrics, facts_of_test = test_figures(report)
            run.log(metrics, tags=facts_of_test)
        write = partial(write_report, self._page(event, part), pictures=not self._on_trial)
        run.file("report", write)

    @property
    def _on_trial(self) -> bool:
        return self.child_tags.get("role") == "trial"

    def _page(self, event: Evaluated, part: str) -> ReportPage:
        model, report = cast("Scorer", event.model), cast("Report", event.report)
        return report_page(
            f"{self.child_name or type(model).__name__} on {self._data}{PARTS[part]}",
            model,
            cast("Sessions", event.test),
            report,
            facts=model.parameters() if isinstance(model, Recommender) else None,
            items=cast("ItemFilter | None", event.items),
        )

    def _fit_page(self, event: FitEnded, run: Run) -> FitPage:
        model = event.model
        return FitPage(
            f"{self.child_name or type(model).__name__}: fit on {self._data}",
            run.data,
            run.epochs,
            time.monotonic() - run.began,
            model.parameters() if isinstance(model, Recommender) else {},
            "" if event.error is None else f"{type(event.error).__name__}: {event.error}",
        )


@contextmanager
def run(
    where: str | os.PathLike[str] = "mlruns",
    *,
    name: str,
    experiment: str = EXPERIMENT,
    data: str = "clicks",
    description: str = "",
    ticket: str | None = None,
) -> Iterator[Tracker]:
    """Keep every fit and evaluation inside the block as MLflow runs: one child each, below a parent.

    Nothing in the block waits for MLflow, and no failure of MLflow stops it: what cannot be sent is kept in
    the store's folder and goes out with the next run.

    Args:
        where: folder of an SQLite store, or a tracking URI.
        name: of the parent run.
        experiment: that the runs belong to.
        data: name of the click log, for people.
        description: text shown on the parent run's page, Markdown.
        ticket: a name of the caller's own, under which later blocks go on with the same parent run.

    Raises:
        TrackingError: if the folder cannot be written.
        ParameterError: if a name is empty.
    """
    named(name=name, experiment=experiment, data=data, ticket=ticket)
    store = store_at(where)
    outbox = Outbox.new(store.outbox, Target(store.uri, experiment))
    courier = Courier(store, outbox, first=True)
    tracker = Tracker(partial(Run, courier, outbox), data, ticket)
    note = {"mlflow.note.content": description} if description else {}
    tracker.parent.open(name, {"role": "parent", "data": data, **note, **facts.surroundings()})
    status = "FAILED"
    try:
        with listening(tracker.hear):
            yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        tracker.parent.end(status)
        courier.close()


def test_figures(report: Report) -> tuple[dict[str, float], dict[str, object]]:
    """Metrics with their intervals, and the rest of the report as tags."""
    metrics: dict[str, float] = {}
    for metric, k, value, low, high in intervals(
        report.ranks, cutoffs=sorted(report.recall), ties=report.ties
    ).iter_rows():
        name = f"{metric}_at_{k}"
        metrics |= {
            f"test/{name}": value,
            f"test_interval/{name}_low": low,
            f"test_interval/{name}_high": high,
        }
    rest: dict[str, object] = {
        f"test.{key}": value for key, value in report.to_dict().items() if "_at_" not in key
    }
    return metrics, rest


def _status(error: BaseException | None) -> str:
    if error is None:
        return "FINISHED"
    return "KILLED" if isinstance(error, KeyboardInterrupt | Pruned) else "FAILED"
