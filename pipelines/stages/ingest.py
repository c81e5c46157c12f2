"""Stage 1: the clicks that landed for a day are checked and put into the store."""

import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError
from ..plumbing.events import say
from ..plumbing.finished import landed
from ..plumbing.settings import Settings
from ..plumbing.workshop import Done, Facts, file_digest, stage

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import CheckedClicks, ClickStore


ORDER = "click_order"
"""The column of the order of clicks of one time, as read_clicks calls it."""
DAY_LENGTH = len("2026-01-31")
TAKEN = "taken.parquet"
"""The checked clicks of a delivery, kept until the day goes: what to take out, should it be corrected."""


def inputs(day: date, settings: Settings) -> list[object]:
    """The landed file, and how it is read.

    Raises:
        BadInputError: if nothing has landed.
    """
    path = settings.input.file(day)
    if not path.is_file():
        raise BadInputError(
            f"no clicks have landed for {day}: expected {path}; deliver them and run the day again"
        )
    rules = {**settings.input.columns(), "gap": settings.input.gap_minutes}
    limits = [settings.input.max_rejected, settings.input.max_elsewhere]
    return [file_digest(path), rules, limits]


def _forget_earlier(_: Settings, done: Done) -> None:
    """Remove what was noted of the day's earlier deliveries: should one come again, it is taken in again."""
    for earlier in done.folder.parent.glob(f"{done.stage}-*"):
        if earlier != done.folder:
            shutil.rmtree(earlier)


@stage("ingest", inputs, after=_forget_earlier)
def ingest(day: date, settings: Settings, folder: Path) -> Facts:
    """Check a day's clicks and put them into the store; taking them in twice changes nothing.

    A file that was delivered anew takes the place of the one before: what only that had brought goes.

    Raises:
        BadInputError: if they have not landed, cannot be read, or look like garbage.
    """
    from recsys_gru import errors

    store, digest = store_of(settings), landed(day, settings)
    try:
        checked, facts = _checked(day, settings, folder)
        replaced = _take_out(day, settings, store, folder)
        added = store.add(checked.clicks)
    except errors.InputError as error:
        raise BadInputError(f"the clicks of {day} cannot be used: {error}") from error
    keep_on_disk(store)
    changed = sorted({*replaced, *added.days})
    return {
        **facts,
        "days_changed": [one.isoformat() for one in changed],
        "known": added.known,
        "landed": digest,
    }


def keep_on_disk(store: "ClickStore") -> None:
    """Have the disk keep what was written to the store."""
    from recsys_gru.files import sync

    if store.folder.is_dir():
        for path in (*store.folder.rglob("*"), store.folder):
            sync(path)


def store_of(settings: Settings) -> "ClickStore":
    """The store of all clicks taken in so far."""
    from recsys_gru import ClickStore

    return ClickStore(settings.work.folder / "clicks", timedelta(minutes=settings.input.gap_minutes))


def _take_out(day: date, settings: Settings, store: "ClickStore", folder: Path) -> "tuple[date, ...]":
    """Take out of the store what earlier deliveries of the day brought, and no other file did or does.

    A click whose order is another now goes too, for the store would keep the smaller of the two; whatever
    else brought it puts it back.
    """
    import polars as pl

    earlier = sorted(folder.parent.glob(f"ingest-*/{TAKEN}"))
    if not earlier:
        return ()
    elsewhere = sorted((settings.work.folder / "days").glob(f"????-??-??/ingest-*/{TAKEN}"))
    others = [path for path in elsewhere if path.parent.parent != folder.parent]
    gone = pl.concat([_comparable(path) for path in earlier], how="diagonal").unique()
    for path in (folder / TAKEN, *others):
        kept = _comparable(path)
        if kept.collect_schema() == gone.collect_schema():  # else one is of users, the other of sessions
            gone = gone.join(kept, on=kept.collect_schema().names(), how="anti", nulls_equal=True)
    rows = gone.drop(ORDER).unique().collect()
    if rows.is_empty():
        return ()
    say("a file was delivered anew, what only the earlier one had goes", day=day, clicks=rows.height)
    changed = {*store.forget(rows)}
    for path in others:
        again = _like(path, rows)
        changed |= {*store.add(again).days} if again.height else set()
    return tuple(sorted(changed))


def _comparable(path: Path) -> "pl.LazyFrame":
    """The clicks of a file, ids and order as text: two files may have written them as different types."""
    import polars as pl

    clicks = _taken(path)
    order = pl.col(ORDER) if ORDER in clicks.collect_schema() else pl.lit(None)
    ids = [name for name in clicks.collect_schema().names() if name not in ("time", ORDER)]
    return clicks.select(pl.col(ids).cast(pl.String), "time", order.cast(pl.String).alias(ORDER))


def _like(path: Path, rows: "pl.DataFrame") -> "pl.DataFrame":
    """The clicks of a file that are among the rows, in whatever order they came."""
    import polars as pl

    clicks = _taken(path)
    if not set(rows.columns) <= set(clicks.collect_schema().names()):
        return clicks.collect().clear()
    same = [pl.col(name) if name == "time" else pl.col(name).cast(pl.String) for name in rows.columns]
    return clicks.join(rows.lazy(), left_on=same, right_on=rows.columns, how="semi").collect()


def _taken(path: Path) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _checked(day: date, settings: Settings, folder: Path) -> "tuple[CheckedClicks, Facts]":
    """The day's clicks with their counts; the rejected rows are kept beside them."""
    import polars as pl

    elsewhere = pl.col("time").dt.date() != day
    checked, clicks, facts = read_landed(settings.input.file(day), str(day), elsewhere, settings)
    _require(
        facts["read"] > 0, f"{settings.input.file(day)} holds no clicks", checked.rejected, settings, str(day)
    )
    checked.rejected.write_parquet(folder / "rejected.parquet")
    clicks.write_parquet(folder / TAKEN)
    return checked, facts


def read_landed(
    path: Path, name: str, elsewhere: "pl.Expr", settings: Settings
) -> "tuple[CheckedClicks, pl.DataFrame, Facts]":
    """The checked clicks of a file, and their counts.

    Args:
        name: of its day or period; bad rows are kept under it where a person finds them.
        elsewhere: which clicks are of other days or periods.

    Raises:
        BadInputError: if it cannot be read, or looks like garbage.
    """
    import polars as pl

    from recsys_gru import check_clicks, errors, read_clicks

    try:
        checked = check_clicks(read_clicks(path, **settings.input.columns()))
        clicks = checked.clicks.collect()
    except pl.exceptions.PolarsError as error:
        raise BadInputError(f"cannot read {path}: {error}; deliver it again") from error
    except errors.InputError as error:
        raise BadInputError(f"the clicks of {name} cannot be used: {error}") from error
    counts = checked.counts
    outside = clicks.filter(elsewhere).height
    unusable = counts["rejected"] - counts.get("duplicate", 0)
    for what, number, limit in (
        ("unusable", unusable, settings.input.max_rejected),
        (
            "of other days" if len(name) == DAY_LENGTH else "of other periods",
            outside,
            settings.input.max_elsewhere,
        ),
    ):
        share = number / max(1, counts["read"])
        said = f"{number} of {counts['read']} rows of {path} are {what}, more than {limit:.0%}: {counts}"
        _require(share <= limit, said, checked.rejected, settings, name)
    return checked, clicks, {**counts, "elsewhere": outside}


def _require(holds: bool, said: str, rejected: "pl.DataFrame", settings: Settings, name: str) -> None:
    """Refuse a day or period, with its bad rows kept where a person finds them."""
    if holds:
        return
    place = settings.work.folder / "quarantine" / f"{name}.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    rejected.write_parquet(place)
    raise BadInputError(f"{said}; nothing was taken in, the bad rows are in {place}")
