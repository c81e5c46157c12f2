"""What fits and evaluations announce, told to MLflow runs: a parent, and one child for each fit."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast, final
from urllib.parse import quote

from recsys_gru.contract import Recommender
from recsys_gru.evaluation import Report, intervals, report_page, write_report
from recsys_gru.evaluation.views import ALL, KNOWN, SHOWN
from recsys_gru.observers import EpochEnded, Evaluated, Event, FitEnded, FitStarted
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery import RUN_ID, Run, Taker, facts
from recsys_gru.tracking.fit_page import FitPage
from recsys_gru.tracking.seals import SEAL, seal_of

if TYPE_CHECKING:
    from recsys_gru.ranking import ItemFilter, Scorer
    from recsys_gru.training import EpochReport

SECTIONS = {
    ALL: "test_all",
    KNOWN: "test_known",
    ALL + SHOWN: "test_all_shown",
    KNOWN + SHOWN: "test_known_shown",
}
"""Where the figures of each view stand on the dashboard."""
WINDOW = ("first", "last")
NOTE = "mlflow.note.content"
"""MLflow's tag, on a run, of the Markdown on its page."""


class Pruned(Exception):  # noqa: N818 - a decision, not an error
    """Raised from ``on_epoch`` to give up a fit that is not worth its time; its run ends as killed."""


@final
@dataclass(frozen=True, eq=False)
class Fit:
    """A model, the run that is told of it, and what its page needs: sizes of the data, epochs, the time."""

    model: object
    run: Run
    data: Mapping[str, int | str] = field(default_factory=dict)
    epochs: "list[EpochReport]" = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    tests: list[object] = field(default_factory=list)
    """What it was tested on, and how."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """All of the model's."""
        return self.model.parameters() if isinstance(self.model, Recommender) else {}

    def tell(self, epoch: "EpochReport", load: Mapping[str, float]) -> None:
        """Log an epoch."""
        metrics = {
            "train/loss": epoch.loss,
            "train/events_per_second": epoch.events_per_second,
            "train/seconds": epoch.seconds,
            **load,
        }
        metrics |= {f"valid/{name}": value for name, value in epoch.metrics.items()}
        self.epochs.append(epoch)
        self.run.log(metrics, step=epoch.epoch)

    def tell_before(self) -> None:
        """Log the epochs that lie before the checkpoint with which the fit began: nobody heard them."""
        heard = {epoch.epoch for epoch in self.epochs}
        for epoch in vars(self.model).get("history_", ()):
            if epoch.epoch not in heard:
                self.tell(epoch, {})
        self.epochs.sort(key=lambda epoch: epoch.epoch)

    def keep(self) -> None:
        """Keep the fitted model, and its seal."""
        if isinstance(self.model, Recommender):
            self.run.file("model", partial(self._save, self.model), "model")

    def _save(self, model: Recommender, folder: Path) -> None:
        model.save(folder)
        self.run.log(tags={SEAL: seal_of(folder)})


@final
class Tracker:
    """Turns what fits and evaluations announce into runs below one parent.

    Args:
        taker: of what the runs are told: a courier, or a notebook.
        data: name of the click log, for people.
        ticket: that an earlier parent was opened with, to go on with that one.

    Attributes:
        parent: the run of the whole block.
        child_name: name of the runs opened from now on; else the model's class.
        child_tags: their tags; a role of trial makes evaluations count as validation.
    """

    def __init__(self, taker: Taker, data: str, ticket: str | None = None) -> None:
        self.parent = Run(taker, ticket)
        self._taker, self._data = taker, data
        self._fits: list[Fit] = []
        self._fitting: list[object] = []
        self.child_name: str | None = None
        self.child_tags: Mapping[str, str] = {"role": "model"}

    def run_of(self, model: object) -> Run:
        """The run of a model's last fit; one is opened for a model fitted elsewhere."""
        return self._fit_of(model).run

    def hear(self, event: Event) -> None:
        """Take one announced event."""
        match event:
            case FitStarted():
                self._fit_started(event)
            case EpochEnded():
                self._fit_of(event.model).tell(
                    cast("EpochReport", event.report), facts.load_of_this_process()
                )
            case FitEnded():
                self._fit_ended(event)
            case Evaluated() if not any(model is event.model for model in self._fitting):
                self._evaluated(event)

    def _known(self, model: object) -> Fit | None:
        return next((fit for fit in reversed(self._fits) if fit.model is model), None)

    def _fit_of(self, model: object) -> Fit:
        fit = self._known(model)
        if fit is None:
            fit = self._opened(model, {})
            fit.run.end()
        return fit

    def _opened(self, model: object, data: Mapping[str, int | str]) -> Fit:
        fit = Fit(model, Run(self._taker), data)
        about = {"model": type(model).__name__, "data": self._data, **facts.surroundings()}
        fit.run.open(self._title_of(model), {**self.child_tags, **about}, self.parent)
        if fit.parameters:
            fit.run.log(params=fit.parameters)
        self._fits.append(fit)
        return fit

    def _name_of(self, model: object) -> str:
        return self.child_name or type(model).__name__

    def _title_of(self, model: object, what: str = "") -> str:
        """The name of a run: model, data and date."""
        return dated(f"{self._name_of(model)}{what} on {self._data}")

    def _fit_started(self, event: FitStarted) -> None:
        train = cast("Sessions", event.train)
        fit = self._opened(event.model, facts.profile(train))
        self._fitting.append(event.model)
        fit.run.feed(train, self._data, "training")
        if isinstance(event.validation, Sessions):
            fit.run.feed(event.validation, self._data, "validation")
        fit.run.log(tags={f"data.{name}": value for name, value in fit.data.items()})
        facts.load_of_this_process()

    def _fit_ended(self, event: FitEnded) -> None:
        fit, error = self._fit_of(event.model), event.error
        self._fitting = [model for model in self._fitting if model is not event.model]
        said = "" if error is None else f"{type(error).__name__}: {error}"
        if error is None:
            fit.tell_before()
        seconds = time.monotonic() - fit.began
        fit.run.log({"train/total_seconds": seconds, **facts.load_of_this_process()})
        title = f"{self._name_of(fit.model)}: fit on {self._data}"
        page = FitPage(title, fit.data, fit.epochs, seconds, fit.parameters, said)
        fit.run.file("training.html", page.write)
        if error is None:
            fit.keep()
        else:
            fit.run.log(tags={"error": said})
        fit.run.end(_status(error))

    def _evaluated(self, event: Evaluated) -> None:
        known, fit = self._known(event.model) is not None, self._fit_of(event.model)
        if not known:
            fit.keep()
        on_trial = self.child_tags.get("role") == "trial"
        report, run = cast("Report", event.report), fit.run if on_trial else self._run_of_test(event, fit)
        if isinstance(event.test, Sessions):
            run.feed(event.test, self._data, "validation" if on_trial else "test")
        if on_trial:
            step = fit.epochs[-1].epoch if fit.epochs else 0
            run.log({f"valid/{name}": value for name, value in report.figures().items()}, step=step)
        else:
            metrics, rest = test_figures(report)
            part = part_of(event.test, report)
            run.log(metrics, tags=rest | part)
            self.parent.log(tags=part)
        page = report_page(
            f"{self._name_of(fit.model)} on {self._data}{', validation part' if on_trial else ''}",
            cast("Scorer", event.model),
            cast("Sessions", event.test),
            report,
            facts=fit.parameters,
            items=cast("ItemFilter | None", event.items),
        )
        run.file("report", partial(write_report, page, pictures=not on_trial))

    def _run_of_test(self, event: Evaluated, fit: Fit) -> Run:
        """The model's own run for the test it is first measured on, another for each other test, so that no
        figure takes the place of one of other clicks."""
        report, test = cast("Report", event.report), event.test
        sessions = test.fingerprint() if isinstance(test, Sessions) else None
        asked = (sessions, report.unknown_rule, report.ties, tuple(report.recall), event.items)
        if asked not in fit.tests:
            fit.tests.append(asked)
        number = fit.tests.index(asked)
        if number == 0:
            return fit.run
        run = Run(self._taker)
        about = {"model": type(fit.model).__name__, "data": self._data, **facts.surroundings()}
        run.open(
            self._title_of(fit.model, f", test {number + 1},"), {**self.child_tags, **about}, self.parent
        )
        run.log(params=fit.parameters)
        run.end()
        return run


def part_of(test: object, report: Report) -> dict[str, str]:
    """Tags that name the test part: runs of one part may be held against each other, others may not."""
    if not isinstance(test, Sessions):
        return {}
    window = {f"test.{name}": str(value) for name, value in facts.profile(test).items() if name in WINDOW}
    return {"test.part": f"{test.fingerprint()[:12]}-{report.unknown_rule}"} | window


def dated(name: str) -> str:
    """A name with the minute it was given in.

    >>> dated("Markov on shop").startswith("Markov on shop, 20")
    True
    """
    return f"{name}, {datetime.now():%Y-%m-%d %H:%M}"


def test_figures(report: Report) -> tuple[dict[str, float], dict[str, object]]:
    """Metrics with their intervals, and the rest of the report as tags."""
    metrics: dict[str, float] = {}
    for metric, k, value, low, high in intervals(
        report.ranks, cutoffs=sorted(report.recall), ties=report.ties
    ).iter_rows():
        name = f"{metric}_at_{k}"
        metrics[f"test/{name}"] = value
        if low is not None:
            metrics |= {f"test_interval/{name}_low": low, f"test_interval/{name}_high": high}
    metrics |= _beside(report)
    figures = {*report.figures(), *report.shares()}
    rest: dict[str, object] = {
        f"test.{key}": value for key, value in report.to_dict().items() if key not in figures
    }
    return metrics, rest | ({"test.warnings": "; ".join(report.warnings)} if report.warnings else {})


def _beside(report: Report) -> dict[str, float]:
    """The figures of the other views, and the shares."""
    if report.replay.is_empty():
        return {}
    metrics = {f"test/{name}": value for name, value in report.shares().items()}
    for row in report.views().drop_nulls().iter_rows(named=True):
        section = SECTIONS[row["view"]]
        metrics |= {f"{section}/{name}_at_{row['k']}": row[name] for name in ("recall", "mrr")}
    return metrics


def shown(title: str, path: str) -> str:
    """Markdown, for the note of a run, that shows a picture among its files.

    >>> shown("Recall", "plots/recall.png")
    '![Recall](get-artifact?path=plots%2Frecall.png&run_uuid={run-id})'
    """
    return f"![{title}](get-artifact?path={quote(path, safe='')}&run_uuid={RUN_ID})"


def _status(error: BaseException | None) -> str:
    if error is None:
        return "FINISHED"
    return "KILLED" if isinstance(error, KeyboardInterrupt | Pruned) else "FAILED"
