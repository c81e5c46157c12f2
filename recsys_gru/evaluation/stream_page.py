"""The page of a prequential test: how good, period by period, and what learning it cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import polars as pl

from recsys_gru.evaluation.prequential import Prequential
from recsys_gru.pages import Axis, Frame, Html, card, document, line, section, table, text, tiles

MARKS = 6
"""Most moments that stand below a chart."""


@final
@dataclass(frozen=True)
class StreamPage:
    """What is told of a stream.

    Attributes:
        title: the page's heading.
        reports: by name, the one that the page is about first; all of the same periods.
    """

    title: str
    reports: Mapping[str, Prequential]

    @property
    def main(self) -> Prequential:
        """The one that the page is about."""
        return next(iter(self.reports.values()))

    def html(self) -> str:
        """The page as one string.

        >>> from datetime import datetime
        >>> periods = pl.DataFrame({"start": [datetime(2026, 1, 1)], "events": [2], "unknown": [0]})
        >>> periods = periods.with_columns(recall_at_5=0.5, mrr_at_5=0.2, seconds=0.1, items=pl.lit(9))
        >>> counts = 2, 1, 0, 0, "conservative", "miss", periods
        >>> report = Prequential({5: 0.5}, {5: 0.2}, *counts, periods=periods)
        >>> "<h1>A day</h1>" in StreamPage("A day", {"Markov": report}).html()
        True
        """
        return document(self.title, _top(self) + _curves(self) + _table(self.main))

    def write(self, path: Path) -> None:
        """Write the page."""
        path.write_text(self.html(), encoding="utf-8")


def _top(page: StreamPage) -> str:
    report, k = page.main, max(page.main.recall)
    first, last = report.periods["start"][0], report.periods["start"][-1] + report.every
    how = "learned after it was foretold" if report.learn else "foretold by a model that stays as it is"
    said = (
        f"Each period of {report.every} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, {how}; "
        f"every click is foretold by the model as it was when its period began."
    )
    beside = {
        f"recall@{k}, {name}": (f"{other.recall[k]:.4f}", f"MRR@{k} {other.mrr[k]:.4f}")
        for name, other in page.reports.items()
    }
    seconds = report.periods["seconds"].to_numpy()
    counts = {
        "clicks": (f"{report.events:,}", f"{report.unknown:,} on items unknown when their period began"),
        "learning": (f"{np.median(seconds):.2f} s", f"a period, the longest {seconds.max():.2f} s"),
    }
    warnings = "".join(f"<li>{text(sentence)}</li>" for sentence in report.warnings)
    listed = f'<ul class="warnings">{warnings}</ul>' if warnings else ""
    head = f'<h1>{text(page.title)}</h1><p class="sub">{text(said)}</p>'
    return f"<header>{head}{tiles(beside | counts)}{listed}</header>"


def _curves(page: StreamPage) -> Html:
    if page.main.periods.height < 2:
        return Html("")
    k = max(page.main.recall)
    names = {f"recall_at_{k}": f"Recall@{k}", f"mrr_at_{k}": f"MRR@{k}"}
    cards = [
        over_time(title, {n: r.periods for n, r in page.reports.items()}, name)
        for name, title in names.items()
    ]
    cards.append(over_time("Clicks", {"clicks": page.main.periods}, "events"))
    if page.main.learn:
        cards.append(over_time("Seconds of learning", {"seconds": page.main.periods}, "seconds"))
    return section("Period by period", "", f'<div class="cards">{"".join(cards)}</div>')


def over_time(title: str, periods: Mapping[str, pl.DataFrame], column: str) -> Html:
    """A card with a line over the starts of the periods for each table of them; gaps are bridged."""
    points = {name: table.select("start", column).drop_nulls() for name, table in periods.items()}
    points = {name: table for name, table in points.items() if table.height}
    if not points:
        return Html("")
    starts = pl.concat([table["start"] for table in points.values()]).dt.epoch("s")
    first, last = starts.to_numpy().min().item(), starts.to_numpy().max().item()
    high = max(table[column].to_numpy().max().item() for table in points.values())
    frame = Frame(Axis(first, max(last, first + 1), _moments(first, last), "UTC"), Axis.linear(0, high or 1))
    lines = [
        line(frame, table["start"].dt.epoch("s").to_list(), table[column].to_list(), f"s{place % 8}")
        for place, table in enumerate(points.values())
    ]
    return card(title, frame, *lines, keys=list(points) if len(points) > 1 else ())


def _moments(first: int, last: int) -> list[tuple[float, str]]:
    """Marks at whole hours, or days where the stream is long."""
    hours = max((last - first) / 3600 / MARKS, 1)
    step = next((size for size in (1, 2, 3, 6, 12) if size >= hours), 24 * -(-int(hours) // 24)) * 3600
    form = "%H:%M" if step < 24 * 3600 else "%m-%d"
    marks = range(-(-first // step) * step, last + 1, step)
    return [(float(mark), f"{pl.from_epoch(pl.Series([mark])).item():{form}}") for mark in marks]


def _table(report: Prequential) -> Html:
    gains = [name for name in report.periods.columns if "_at_" in name]
    rows = [
        [
            f"{row['start']:%Y-%m-%d %H:%M}",
            f"{row['events']:,}",
            f"{row['unknown']:,}",
            *("–" if row[name] is None else f"{row[name]:.4f}" for name in gains),
            f"{row['seconds']:.2f}",
            f"{row['items']:,}",
        ]
        for row in report.periods.iter_rows(named=True)
    ]
    named = [name.replace("_at_", "@").replace("mrr", "MRR") for name in gains]
    head = ["begins, UTC", "clicks", "unknown", *named, "s to learn", "items"]
    return section("Every period", "", table(head, rows))
