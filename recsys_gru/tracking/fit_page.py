"""The page of a fit: what it learned from, how it went epoch by epoch, and with which parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from recsys_gru.pages import Html, document, facts, section, table, text, tiles, trend

if TYPE_CHECKING:
    from recsys_gru.training import EpochReport

SIZES = ("sessions", "events", "items")
NAMES = {"mrr": "MRR"}


@final
@dataclass(frozen=True)
class FitPage:
    """What is told of one fit.

    Attributes:
        title: the page's heading.
        data: counts and window of the training sessions.
        epochs: reports of the epochs; none for a model that only counts.
        seconds: that the fit took.
        parameters: all of them.
        error: what a fit that did not end well said.
    """

    title: str
    data: Mapping[str, int | str]
    epochs: Sequence["EpochReport"]
    seconds: float
    parameters: Mapping[str, object]
    error: str = ""

    def html(self) -> str:
        """The page as one string.

        >>> page = FitPage("Markov: fit on shop", {"events": 15}, [], 0.5, {"steps": 1})
        >>> "<h1>Markov: fit on shop</h1>" in page.html()
        True
        """
        return document(
            self.title,
            _top(self) + _curves(self) + _table(self) + section("Parameters", "", facts(self.parameters)),
        )

    def write(self, path: Path) -> None:
        """Write the page."""
        path.write_text(self.html(), encoding="utf-8")


def _top(page: FitPage) -> str:
    error = f'<ul class="warnings"><li>{text(page.error)}</li></ul>' if page.error else ""
    window = f"Events from {page.data['first']} to {page.data['last']}." if "first" in page.data else ""
    sizes = {name: (f"{page.data[name]:,}", "to train on") for name in SIZES if name in page.data}
    took = {"time": (f"{page.seconds:,.1f} s", f"{len(page.epochs)} epochs" if page.epochs else "one pass")}
    head = f'<h1>{text(page.title)}</h1><p class="sub">{text(window)}</p>'
    return f"<header>{head}{tiles(sizes | took)}{error}</header>"


def _curves(page: FitPage) -> Html:
    """Loss and speed, and a chart for each measure of the validation, with a line for each cut-off."""
    if len(page.epochs) < 2:
        return Html("")
    charts = [
        trend("Training loss", {"loss": [epoch.loss for epoch in page.epochs]}),
        trend("Training events per second", {"speed": [epoch.events_per_second for epoch in page.epochs]}),
    ]
    measures: dict[str, dict[str, list[float]]] = {}
    for name in reversed(page.epochs[-1].metrics):  # the longest list first, in bold
        measure, label = name.partition("_at_")[0], named(name)
        measures.setdefault(measure, {})[label] = [epoch.metrics[name] for epoch in page.epochs]
    for measure, series in reversed(measures.items()):
        charts.append(trend(f"Validation: {NAMES.get(measure, measure)}", series))
    return section("Epoch by epoch", "", f'<div class="cards">{"".join(charts)}</div>')


def _table(page: FitPage) -> Html:
    metrics = list(page.epochs[-1].metrics) if page.epochs else []
    rows = [
        [
            epoch.epoch,
            f"{epoch.loss:,.4f}",
            f"{epoch.events_per_second:,.0f}",
            *(f"{epoch.metrics[name]:.4f}" for name in metrics),
        ]
        for epoch in page.epochs
    ]
    head = ["epoch", "loss", "events/s", *map(named, metrics)]
    note = "Recall and MRR on the validation part." if metrics else ""
    return section("Every epoch", note, table(head, rows, words=0))


def named(metric: str) -> str:
    """A metric as people write it.

    >>> named("mrr_at_20")
    'MRR@20'
    """
    name, at, k = metric.partition("_at_")
    return f"{NAMES.get(name, name)}@{k}" if at else metric
