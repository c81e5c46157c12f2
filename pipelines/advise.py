"""How long should the training window be? Recall against its length, on several days."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from .plumbing.errors import BadInputError
from .plumbing.events import say
from .plumbing.items import items_of
from .plumbing.settings import Settings
from .stages.sessions import split_of
from .stages.train import challenger_of

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Report


def advise(day: date, settings: Settings) -> "pl.DataFrame":
    """Train and test the settings' model for each window length, on the last days up to this one.

    A day's test events are the same for all lengths, and clicks on items that a window does not know count
    as misses, so that the lengths can be compared.

    Returns:
        One row for each length, shortest first: days, recall, lowest and highest over the test days,
        train_events (mean), and best.

    Raises:
        BadInputError: if the store has no day to try.
    """
    import polars as pl

    rows = list(_trials(day, settings))
    if not rows:
        raise BadInputError(f"the store has no sessions on the {settings.advise.days} days up to {day}")
    recall = pl.col("recall")
    span = (recall.min().alias("lowest"), recall.max().alias("highest"))
    table = pl.DataFrame(rows).group_by("days").agg(recall.mean(), *span, pl.col("train_events").mean())
    return table.sort("days").with_columns(best=recall == recall.max())


def draw(table: "pl.DataFrame", path: Path, title: str) -> None:
    """Draw recall by window length, with the span over the test days, into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    days, recall = table["days"].to_list(), table["recall"].to_list()
    axes.fill_between(days, table["lowest"].to_list(), table["highest"].to_list(), alpha=0.2)
    axes.plot(days, recall, marker="o")
    axes.set(title=title, xlabel="window, days", ylabel="recall", xticks=days)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=150)


def _trials(day: date, settings: Settings) -> "Iterator[dict[str, float]]":
    for back in range(settings.advise.days):
        tested = day - timedelta(days=back)
        for days in settings.advise.windows:
            trial = _trial(tested, days, settings)
            if trial is not None:
                say("window tried", tested=tested, trial=trial)
                yield trial


def _trial(tested: date, days: int, settings: Settings) -> dict[str, float] | None:
    import recsys_gru

    split = split_of(tested, settings, days)
    train = recsys_gru.filter_sessions(
        split.train, settings.window.min_support, settings.window.min_length
    ).lazy().collect()  # fmt: skip
    if train.is_empty() or split.test.lazy().collect().is_empty():
        return None
    k = settings.gate.k
    model = challenger_of(settings).fit(train, items=items_of(tested, settings))
    report: Report = recsys_gru.evaluate(model, split.test, (k,), unknown="miss")
    return {"days": days, "recall": report.recall[k], "train_events": train.height}
