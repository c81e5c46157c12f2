"""The store: a click log that grows by the day, one partition for the sessions that start on each day."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import polars as pl

from recsys_gru.arguments import place, shown, span
from recsys_gru.clicks.check import CheckedClicks, check_clicks
from recsys_gru.clicks.frames import ITEM, SESSION, START, TIME, USER, Frame
from recsys_gru.clicks.sessionize import LONG_SILENCE, reused_ids, sessionize
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.preparation.distinct import one_visit_each
from recsys_gru.preparation.partition import DAY as _DAY
from recsys_gru.preparation.partition import distinct, in_order, stored
from recsys_gru.preparation.typed import of_types
from recsys_gru.sessions.fingerprint import digest_of

log = logging.getLogger("recsys_gru")

_MANIFEST, _LAST = "manifest.json", "last"
_VISIT = "_visit"
Facts: TypeAlias = dict[str, str | int]


@dataclass(frozen=True)
class Added:
    """What one call of ``ClickStore.add`` did.

    Attributes:
        days: the partitions that changed.
        counts: as in CheckedClicks: rows read, kept, rejected, and by reason.
        known: kept rows that the store held already.
        warnings: what is odd about the clicks, in words.
    """

    days: tuple[date, ...]
    counts: dict[str, int]
    known: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClickStore:
    """Checked clicks on disk, a Parquet file for each UTC day on which sessions start, with fingerprints.

    A session ends after ``silence``: an id that comes again later is another visit, lies on the day on which
    that starts, and is named ``id@start`` by ``events``. Logs of users are cut into sessions on entry, named
    ``user@start``; ``gap`` is the silence that ends one. Clicks that come late join their session. Adding the
    same clicks again changes nothing, and the order of adding does not matter, however many days a session
    spans. Ids are of the store's type, whatever the type of a file that is added. Clicks of equal time are
    ordered by a column ``click_order`` (read_clicks(..., order=)) if the log has one, else by a hash, as
    files that come in any order have none. One writer at a time; a write that was interrupted is made whole
    by adding the same clicks again.

    >>> import tempfile
    >>> log = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [86390, 86410]})
    >>> store = ClickStore(Path(tempfile.mkdtemp()))
    >>> store.add(log).days, store.add(log).days
    ((datetime.date(1970, 1, 1),), ())
    """

    folder: Path
    gap: timedelta = timedelta(minutes=30)
    silence: timedelta = LONG_SILENCE

    def __post_init__(self) -> None:
        """Raise ParameterError where it is no path, or a silence no span of time."""
        object.__setattr__(self, "folder", Path(place("folder", self.folder)))
        for name in ("gap", "silence"):
            object.__setattr__(self, name, span(name, getattr(self, name)))

    def add(self, clicks: Frame) -> Added:
        """Check clicks and merge them into their days; rejected rows go to rejected/.

        Raises:
            SchemaError: a column is missing, or no id can be of the store's type.
        """
        checked = self._of_my_types(check_clicks(clicks))
        new = checked.clicks.collect()
        self._reject(checked.rejected)
        if new.is_empty():
            return Added((), checked.counts, 0, checked.warnings)
        owner = SESSION if SESSION in new.columns else USER
        old = self._near(new, owner)
        both = distinct([new, old])
        known = new.height + old.height - both.height
        merged = self._in_sessions(both, owner)
        days = sorted({*merged[_DAY].unique(), *old[_DAY].unique()})
        changed = [day for day in days if self._rewrite(day, merged, owner)]
        return Added(tuple(changed), checked.counts, known, checked.warnings or self._reused(new))

    def forget(self, clicks: Frame) -> tuple[date, ...]:
        """Take clicks out again; the rest of their sessions stays, on the day on which that starts.

        Doing it again changes nothing; one that was interrupted is made whole by doing it again.

        Returns:
            The partitions that changed.

        Raises:
            SchemaError: a column is missing, or ids are of another type than the store's.
        """
        gone = self._of_my_types(check_clicks(clicks)).clicks.collect()
        if gone.is_empty():
            return ()
        owner = SESSION if SESSION in gone.columns else USER
        old = self._near(gone, owner)
        left = distinct([old]).join(gone, on=[owner, ITEM, TIME], how="anti")
        left = self._in_sessions(left, owner)
        days = sorted({*old[_DAY].unique(), *left[_DAY].unique()}, reverse=True)  # rests move to later days
        changed = [day for day in days if self._rewrite(day, left, owner, gone)]
        return tuple(sorted(changed))

    def days(self) -> list[date]:
        """The days that have a partition, in order."""
        return [date.fromisoformat(day) for day in self._manifest()]

    def open_days(self, moment: datetime) -> list[date]:
        """The days whose sessions have a click at or after a moment, in order."""
        manifest = self._manifest()
        return [day for day in self.days() if self._last(day, manifest) >= moment]

    def events(self, first: date | None = None, last: date | None = None) -> pl.LazyFrame:
        """Events of the sessions that start from ``first`` to ``last``, both included, equal times in order:
        session_id, item_id, time.

        Session ids that stand for several visits are told apart: they are named ``id@start``, and all ids are
        text then.

        Raises:
            ClickLogError: there are none.
        """
        days = self._between(first, last)
        if not days:
            raise ClickLogError(
                f"the store {self.folder} has no sessions from {first or 'ever'} to {last or 'now'}"
            )
        rows = pl.concat([self._scan(day) for day in days], how="diagonal")
        return one_visit_each(rows, self.silence)

    def fingerprints(self, first: date | None = None, last: date | None = None) -> dict[date, str]:
        """The fingerprint of each partition."""
        manifest = self._manifest()
        return {day: str(manifest[day.isoformat()]["fingerprint"]) for day in self._between(first, last)}

    def fingerprint(self, first: date | None = None, last: date | None = None) -> str:
        """One fingerprint for the partitions from ``first`` to ``last``."""
        return digest_of(*(f"{day} {text}" for day, text in self.fingerprints(first, last).items()))

    def _between(self, first: date | None, last: date | None) -> list[date]:
        for name, day in (("first", first), ("last", last)):
            if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
                raise ParameterError(f"expected {name} as a date, got {shown(day)}: write date(2026, 3, 1)")
        return [day for day in self.days() if (first or day) <= day <= (last or day)]

    def _file(self, day: date) -> Path:
        return self.folder / f"{_DAY}={day.isoformat()}" / "clicks.parquet"

    def _scan(self, day: date) -> pl.LazyFrame:
        return pl.scan_parquet(self._file(day), glob=False, hive_partitioning=False)

    def _manifest(self) -> dict[str, Facts]:
        path = self.folder / _MANIFEST
        return dict(sorted(json.loads(path.read_text()).items())) if path.exists() else {}

    def _of_my_types(self, checked: CheckedClicks) -> CheckedClicks:
        """The checked clicks with ids of the types that lie in the store."""
        days = self._on_disk()
        if not days:
            return checked
        return of_types(checked, self._scan(days[0]).collect_schema(), str(self.folder))

    def _on_disk(self) -> list[date]:
        """The days that have a file, also one that a broken-off write left outside the manifest."""
        found = (path.parent.name.partition("=")[2] for path in self.folder.glob(f"{_DAY}=*/clicks.parquet"))
        return sorted(date.fromisoformat(day) for day in found)

    def _partition(self, day: date, like: pl.DataFrame) -> pl.DataFrame:
        """The rows of a day."""
        if not self._file(day).exists():
            return like.clear()
        table = self._scan(day).collect()
        return pl.concat([like.clear(), table], how="diagonal")

    def _near(self, new: pl.DataFrame, owner: str) -> pl.DataFrame:
        """What the store knows of the sessions (or users) of new clicks, on the days on which they lie and
        wherever a session may go on in them.
        """
        first, last = new[TIME].min(), new[TIME].max()
        own = set(new[TIME].dt.date().unique())
        reach = self.silence if owner == SESSION else self.gap
        manifest = self._manifest()
        days = [
            day
            for day in self._on_disk()
            if day in own or (_midnight(day) - reach <= last and self._last(day, manifest) + reach >= first)  # type: ignore[operator]
        ]
        like = stored(new, owner)
        parts = [self._partition(day, like).with_columns(pl.lit(day).alias(_DAY)) for day in days]
        nothing = like.clear().with_columns(pl.lit(None, dtype=pl.Date).alias(_DAY))
        return pl.concat([nothing, *parts], how="diagonal").join(new, on=owner, how="semi")

    def _reused(self, new: pl.DataFrame) -> tuple[str, ...]:
        """A warning where ids of new clicks stand for other sessions a day before or after."""
        if SESSION not in new.columns or new.is_empty():
            return ()
        own = new[TIME].dt.date()
        near = [day for day in self._on_disk() if _before(own.min(), 1) <= day <= _before(own.max(), -1)]
        ids = new.select(SESSION).unique().lazy()
        spans = [self._scan(day).select(SESSION, TIME).join(ids, on=SESSION, how="semi") for day in near]
        if (
            not spans
            or (said := reused_ids(pl.concat(spans).collect().sort(SESSION, TIME), self.silence)) is None
        ):
            return ()
        log.warning("%s. The store keeps them apart", said)
        return (said,)

    def _last(self, day: date, manifest: dict[str, Facts]) -> datetime:
        """The last click of a partition; partitions of earlier versions do not say."""
        told = manifest.get(day.isoformat(), {}).get(_LAST)
        if told is not None:
            return datetime.fromisoformat(str(told))
        found: datetime = self._scan(day).select(pl.col(TIME).max()).collect().item()
        return found

    def _in_sessions(self, clicks: pl.DataFrame, owner: str) -> pl.DataFrame:
        """Clicks with their session and the day on which it starts."""
        gap = self.silence if owner == SESSION else self.gap
        named = clicks.rename({SESSION: _VISIT}) if owner == SESSION else clicks.drop(SESSION, strict=False)
        events = sessionize(named, user=_VISIT if owner == SESSION else USER, gap=gap).collect()
        events = events.with_columns(pl.col(TIME).min().over(SESSION).alias(START))
        if owner == SESSION:
            events = events.drop(SESSION).rename({_VISIT: SESSION})
        else:
            moment = pl.col(START).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
            events = events.with_columns((pl.col(USER).cast(pl.String) + "@" + moment).alias(SESSION))
        return events.with_columns(pl.col(START).dt.date().alias(_DAY))

    def _rewrite(
        self, day: date, merged: pl.DataFrame, owner: str, known: pl.DataFrame | None = None
    ) -> bool:
        """Put the merged sessions in the place of what the day knew of them, or of all whose clicks are
        ``known``; False where nothing changes.
        """
        mine = merged.filter(pl.col(_DAY) == day)
        like = stored(merged, owner)
        place = merged if known is None else known
        others = self._partition(day, like).join(place, on=owner, how="anti")
        table = pl.concat([others, mine.select(like.columns)], how="diagonal")
        table = in_order(table, owner)
        fingerprint = digest_of(*table.get_columns())
        manifest = self._manifest()
        if manifest.get(day.isoformat(), {}).get("fingerprint") == fingerprint and self._file(day).exists():
            return False
        file = self._file(day)
        if table.is_empty():  # its sessions have moved to the day before
            file.unlink(missing_ok=True)
            self._save_manifest({key: facts for key, facts in manifest.items() if key != day.isoformat()})
            return True
        file.parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(file.with_suffix(".partial"))
        file.with_suffix(".partial").replace(file)
        last: datetime = table[TIME].max()  # type: ignore[assignment]
        facts: Facts = {
            "events": table.height,
            "sessions": table[SESSION].n_unique(),
            "fingerprint": fingerprint,
            _LAST: last.isoformat(),
        }
        self._save_manifest({**manifest, day.isoformat(): facts})
        return True

    def _save_manifest(self, manifest: dict[str, Facts]) -> None:
        aside = self.folder / f"{_MANIFEST}.partial"
        aside.write_text(json.dumps(dict(sorted(manifest.items())), indent=1))
        aside.replace(self.folder / _MANIFEST)

    def _reject(self, rejected: pl.DataFrame) -> None:
        if rejected.height:
            rows = rejected.sort(pl.all(), nulls_last=True)
            name = digest_of(rows.write_csv())[:16]
            (self.folder / "rejected").mkdir(parents=True, exist_ok=True)
            rows.write_parquet(self.folder / "rejected" / f"{name}.parquet")


def _before(day: object, days: int) -> date:
    """So many days before a day."""
    if not isinstance(day, date):
        raise TypeError(f"expected a day; got {day!r}")
    return day - timedelta(days=days)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
