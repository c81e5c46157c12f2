"""What fits and evaluations announce, told to MLflow runs: a parent, and one child for each fit."""

import time
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, cast, final
from urllib.parse import quote

from recsys_gru.evaluation import Report, intervals, report_page, write_report
from recsys_gru.evaluation.stream_page import StreamPage
from recsys_gru.evaluation.views import ALL, KNOWN, NEVER, SHOWN
from recsys_gru.observers import EpochEnded, Evaluated, Event, FitEnded, FitStarted, Followed
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.delivery import RUN_ID, Run, Taker, facts
from recsys_gru.tracking.fit import Fit
from recsys_gru.tracking.fit_page import FitPage

if TYPE_CHECKING:
    from recsys_gru.evaluation import Prequential
    from recsys_gru.ranking import ItemFilter, Scorer
    from recsys_gru.training import EpochReport

SECTIONS = {
    ALL: "test_all",
    KNOWN: "test_known",
    ALL + SHOWN: "test_all_shown",
    KNOWN + SHOWN: "test_known_shown",
    NEVER: "test_never_seen",
}
"""Where the figures of each view stand on the dashboard."""
WINDOW = ("first", "last")
NOTE = "mlflow.note.content"
"""MLflow's tag, on a run, of the Markdown on its page."""


class Pruned(Exception):  # noqa: N818 - a decision, not an error
    """Raised from ``on_epoch`` to give up a fit that is not worth its time; its run ends as killed."""


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
            case Followed():
                self._followed(event)

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
        if page.reliability is not None and not on_trial:
            run.log({"test/calibration_error": page.reliability.calibration_error})
        run.file("report", partial(write_report, page, pictures=not on_trial))

    def _followed(self, event: Followed) -> None:
        """A curve over the periods for each figure, the whole of them, and the page."""
        fit, report = self._fit_of(event.model), cast("Prequential", event.report)
        asked = report.every, report.learn, report.unknown_rule, tuple(report.recall)
        run = self._run_of(asked, fit, "learning" if report.learn else "frozen")
        for step, period in enumerate(report.periods.drop("start").iter_rows(named=True)):
            run.log(
                {f"period/{name}": value for name, value in period.items() if value is not None}, step=step
            )
        whole = {f"prequential/{name}": value for name, value in report.figures().items()}
        about = {"every": report.every, "learn": report.learn, "first": report.periods["start"][0]}
        run.log(whole, tags={f"prequential.{name}": str(value) for name, value in about.items()})
        title = f"{self._name_of(fit.model)} on {self._data}, every {report.every}"
        run.file("prequential.html", StreamPage(title, {self._name_of(fit.model): report}).write)

    def _run_of_test(self, event: Evaluated, fit: Fit) -> Run:
        report, test = cast("Report", event.report), event.test
        sessions = test.fingerprint() if isinstance(test, Sessions) else None
        return self._run_of(
            (sessions, report.unknown_rule, report.ties, tuple(report.recall), event.items), fit
        )

    def _run_of(self, asked: object, fit: Fit, what: str = "") -> Run:
        """The model's own run for the test it is first measured on, another for each other test, so that no
        figure takes the place of one of other clicks; `what` it was names that one."""
        if asked not in fit.tests:
            fit.tests.append(asked)
        number = fit.tests.index(asked)
        if number == 0:
            return fit.run
        run = Run(self._taker)
        about = {"model": type(fit.model).__name__, "data": self._data, **facts.surroundings()}
        run.open(
            self._title_of(fit.model, f", {what or f'test {number + 1}'},"),
            {**self.child_tags, **about},
            self.parent,
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
