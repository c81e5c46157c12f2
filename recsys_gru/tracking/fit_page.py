"""The page of a fit: what it learned from, how it went epoch by epoch, and with which parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from recsys_gru.evaluation.html import Html, document, section, table, text, tiles, trend

if TYPE_CHECKING:
    from recsys_gru.training import EpochReport

SIZES = ("sessions", "events", "items")


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
        return document(self.title, _top(self) + _curves(self) + _table(self) + _facts(self))

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
    charts = [trend(name, values) for name, values in _series(page).items() if len(values) > 1]
    return section("Epoch by epoch", "", f'<div class="cards">{"".join(charts)}</div>' if charts else "")


def _table(page: FitPage) -> Html:
    series = _series(page)
    rows = [
        [epoch.epoch, *(f"{values[place]:,.4f}" for values in series.values())]
        for place, epoch in enumerate(page.epochs)
    ]
    return section("Every epoch", "", table(["epoch", *series], rows, words=0))


def _facts(page: FitPage) -> Html:
    lines = "".join(
        f"<div><span>{text(name)}</span><b>{text(value)}</b></div>" for name, value in page.parameters.items()
    )
    return section("Parameters", "", f'<div class="facts">{lines}</div>' if lines else "")


def _series(page: FitPage) -> dict[str, list[float]]:
    """Figure by figure, a value for each epoch."""
    if not page.epochs:
        return {}
    found = {
        "train/loss": [epoch.loss for epoch in page.epochs],
        "train/events_per_second": [epoch.events_per_second for epoch in page.epochs],
    }
    for name in page.epochs[-1].metrics:
        found[f"valid/{name}"] = [epoch.metrics[name] for epoch in page.epochs]
    return found
