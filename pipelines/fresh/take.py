"""A period's landed clicks come into the store, and a copy stays as the ledger of what was taken in."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError, PipelineError
from ..plumbing.finished import TAKEN_IN
from ..plumbing.periods import Period
from ..plumbing.settings import Settings
from ..plumbing.versions import fresh_folder
from ..plumbing.workshop import Facts, file_digest, results, write_whole
from ..stages.ingest import DAY_LENGTH, TAKEN, keep_on_disk, read_landed, store_of

if TYPE_CHECKING:
    import polars as pl

NIGHT, PERIOD = "night", "period"
"""Who has taken in the clicks of a period last: with the night's, late ones are among them."""


def landed(period: Period, settings: Settings) -> Path:
    """The file in which the clicks of a period land."""
    path = settings.fresh.path.replace("{period}", period.name)
    return Path(path.replace("{day}", period.day.isoformat()))


def take_in(period: Period, settings: Settings) -> Facts:
    """Take a period's clicks into the store, once; returns what was counted.

    A period whose day the night has taken in needs no file of its own: its clicks are there.

    Raises:
        BadInputError: if they have not landed, cannot be read, or look like garbage.
    """
    path, note = landed(period, settings), _note(period, settings)
    known = json.loads(note.read_text(encoding="utf-8")) if note.exists() else None
    by_night = bool(results(settings, period.day, TAKEN_IN))
    if known is None and not path.is_file() and not by_night:
        raise BadInputError(
            f"no clicks have landed for {period.name}: expected {path}; deliver them, then again"
        )
    grows = "{period}" not in settings.fresh.path
    again = known is not None and not grows and path.is_file() and known["landed"] != file_digest(path)
    if path.is_file() and not by_night and (known is None or again):
        known = _take(period, path, settings, grows=grows)
    nothing = {"read": 0, "kept": 0, "rejected": 0, "late": 0, "early": 0}
    return (known or nothing) | {"source": NIGHT if by_night else PERIOD}


def taken(period: Period, settings: Settings) -> "pl.DataFrame":
    """A period's clicks as the copies of all deliveries have them, those of the nights too, each once."""
    import polars as pl

    first = period.day - timedelta(days=1)
    pieces = sorted((fresh_folder(settings) / "taken").glob("*.parquet"))
    pieces += sorted((settings.work.folder / "days").glob(f"????-??-??/{TAKEN_IN}-*/{TAKEN}"))
    near = [path for path in pieces if _day_of(path) >= first.isoformat()]
    inside = pl.col("time").is_between(period.start, period.end, closed="left")
    parts = [pl.scan_parquet(path, glob=False, hive_partitioning=False).filter(inside) for path in near]
    if not parts:
        return nothing()
    owners = ({*part.collect_schema().names()} & {"session_id", "user"} for part in parts)
    named = [
        part.select(
            owner=pl.col(*owner).cast(pl.String), item_id=pl.col("item_id").cast(pl.String), time="time"
        )
        for part, owner in zip(parts, owners, strict=True)
    ]
    return pl.concat(named).unique().collect()


def nothing() -> "pl.DataFrame":
    """No click at all."""
    import polars as pl

    return pl.DataFrame(
        schema={"session_id": pl.String, "item_id": pl.String, "time": pl.Datetime("us", "UTC")}
    )


def clicks_of(period: Period, settings: Settings) -> "pl.DataFrame":
    """The stored clicks of a period, and before them those of its sessions that came earlier.

    Raises:
        PipelineError: if the store cannot be read.
    """
    import polars as pl

    store = store_of(settings)
    days = [day for day in store.open_days(period.start) if day <= period.day]
    try:
        if not days:
            return nothing()
        events = store.events(days[0], period.day).filter(pl.col("time") < period.end)
        return events.filter(pl.col("time").max().over("session_id") >= period.start).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PipelineError(
            f"the stored clicks of {days[0]} to {period.day} in {store.folder} cannot be read: {error}; "
            "restore them from a backup, then run it again"
        ) from error


def _take(period: Period, path: Path, settings: Settings, *, grows: bool) -> Facts:
    """Put the file's clicks into the store, then the copy beside, then the note: it says that all is done."""
    import polars as pl

    from recsys_gru import errors
    from recsys_gru.files import sync

    elsewhere = ~pl.col("time").is_between(period.start, period.end, closed="left")
    counts: Facts
    if grows:  # of the day's file all but the period's own clicks are left to others
        clicks, counts = _own(path, period, settings)
    else:
        _, clicks, counts = read_landed(path, period.name, elsewhere, settings)
    counts["late"] = clicks.filter(pl.col("time") < period.start).height
    counts["early"] = clicks.filter(pl.col("time") >= period.end).height
    store, note = store_of(settings), _note(period, settings)
    earlier = pl.read_parquet(_copy(note), hive_partitioning=False) if note.exists() else None
    try:
        if earlier is not None and earlier.height:  # delivered anew before it was learned
            store.forget(earlier)
        if clicks.height:
            store.add(clicks)
    except errors.InputError as error:
        raise BadInputError(f"the clicks of {period.name} cannot be used: {error}") from error
    keep_on_disk(store)
    note.parent.mkdir(parents=True, exist_ok=True)
    aside = note.with_suffix(".partial")
    clicks.write_parquet(aside)
    sync(aside)
    aside.replace(_copy(note))
    facts: Facts = {name: counts[name] for name in ("read", "kept", "rejected", "late", "early")}
    write_whole(note, json.dumps(facts | {"landed": file_digest(path)}))
    return facts


def _own(path: Path, period: Period, settings: Settings) -> "tuple[pl.DataFrame, Facts]":
    """A period's own clicks of its day's file, which is judged as the night judges it."""
    import polars as pl

    elsewhere = pl.col("time").dt.date() != period.day
    _, clicks, facts = read_landed(path, period.name, elsewhere, settings)
    own = clicks.filter(pl.col("time").is_between(period.start, period.end, closed="left"))
    return own, {"read": own.height, "kept": own.height, "rejected": 0, "of the day": facts["read"]}


def _note(period: Period, settings: Settings) -> Path:
    return fresh_folder(settings) / "taken" / f"{period.name}.json"


def _copy(note: Path) -> Path:
    return note.with_suffix(".parquet")


def _day_of(piece: Path) -> str:
    """The day of a delivery's copy: of a period, or of a night."""
    return piece.parent.parent.name if piece.name == TAKEN else piece.stem[:DAY_LENGTH]
