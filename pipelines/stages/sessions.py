"""Stage 2: the training sessions of the window before a day, and the day's own sessions to test on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError, PipelineError
from ..plumbing.finished import clicks_decided_on
from ..plumbing.settings import Settings
from ..plumbing.workshop import Facts, fingerprint, folder_of, read_done, stage
from .ingest import store_of

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Split

TRAIN, TEST = "train.parquet", "test.parquet"


def inputs(day: date, settings: Settings) -> list[object]:
    """The stored clicks it looks at, and the window; of a finished day the clicks that were decided on."""
    rules = [settings.window, settings.gate.volume_days]
    return [_decided_on(day, settings, rules) or clicks_of(day, settings), *rules]


def clicks_of(day: date, settings: Settings) -> str:
    """The fingerprint of the stored clicks of a day, its window and the days its volume is compared with."""
    first = min(settings.first_day(day), day - timedelta(days=settings.gate.volume_days))
    return store_of(settings).fingerprint(first, day)


@stage("sessions", inputs)
def sessions(day: date, settings: Settings, folder: Path) -> Facts:
    """Build the sessions to learn from and to test on.

    Raises:
        BadInputError: if there is nothing to learn from or to test on.
    """
    from recsys_gru import Ledger, filter_sessions

    window, ledger = settings.window, Ledger()
    split = split_of(day, settings, window.days)
    known, test = (part.lazy().collect() for part in (split.train, split.test))
    train = filter_sessions(known, window.min_support, window.min_length, ledger).lazy().collect()
    if train.is_empty() or test.is_empty():
        raise BadInputError(
            f"expected sessions to learn from in the {window.days} days before {day} and sessions to test on "
            f"that day; got {train.height} and {test.height} events (before filtering {known.height}): "
            "take in more days, or lower window.min_support"
        )
    train.write_parquet(folder / TRAIN)
    test.write_parquet(folder / TEST)
    ledger.table().write_parquet(folder / "ledger.parquet")
    return {
        **{f"train_{name}": number for name, number in _sizes(train).items()},
        **{f"test_{name}": number for name, number in _sizes(test).items()},
        "days": train["time"].dt.date().n_unique(),
        "clicks": test.height,
        "usual_clicks": _usual(day, settings),
    }


def split_of(day: date, settings: Settings, days: int) -> "Split":
    """The stored events of a window cut at the midnight that begins the day."""
    from recsys_gru import split_at

    parts = list(stored(settings, day - timedelta(days=days), day))
    if not parts:
        raise BadInputError(f"the store has no clicks in the {days} days before {day}: take them in first")
    # of all days at once: a session's id that comes again on another day is told apart from it only there
    events = store_of(settings).events(day - timedelta(days=days), day).collect()
    return split_at(events, datetime.combine(day, time(), UTC))


def stored(settings: Settings, first: date, last: date) -> "Iterator[pl.DataFrame]":
    """The stored events day by day.

    Raises:
        PipelineError: if a partition cannot be read; the message names its day.
    """
    import polars as pl

    store = store_of(settings)
    for day in store.days():
        if not first <= day <= last:
            continue
        try:
            yield store.events(day, day).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PipelineError(
                f"the stored clicks of {day} in {store.folder} cannot be read: {error}; restore that "
                "partition from a backup, or remove it and the day's ingest folder, and take the day in again"
            ) from error


def _decided_on(day: date, settings: Settings, rules: list[object]) -> str | None:
    """The clicks that were decided on, as long as what was made of them by these rules is there."""
    clicks = clicks_decided_on(day, settings)
    if clicks is None:
        return None
    made = folder_of("sessions", day, settings, fingerprint("sessions", day, clicks, *rules))
    return clicks if read_done(made) is not None else None


def _sizes(events: "pl.DataFrame") -> dict[str, int]:
    sizes = {"events": events.height, "sessions": events["session_id"].n_unique()}
    return {**sizes, "items": events["item_id"].n_unique()}


def _usual(day: date, settings: Settings) -> float | None:
    """The median number of clicks of the days before, of those that have any."""
    import statistics

    before = day - timedelta(days=settings.gate.volume_days)
    heights = [part.height for part in stored(settings, before, day - timedelta(days=1))]
    return statistics.median(heights) if heights else None
