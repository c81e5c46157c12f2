"""The store: a click log that grows by the day, one partition for the sessions that start on each day."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TypeAlias

import polars as pl

from recsys_gru.clicks.check import check_clicks
from recsys_gru.clicks.frames import ITEM, SESSION, START, TIME, USER, UTC_TIME, Frame
from recsys_gru.clicks.sessionize import sessionize
from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.sessions.fingerprint import digest_of

_DAY, _MANIFEST = "day", "manifest.json"
Facts: TypeAlias = dict[str, str | int]
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Added:
    """What one call of ``ClickStore.add`` did.

    Attributes:
        days: the partitions that changed.
        counts: as in CheckedClicks: rows read, kept, rejected, and by reason.
        known: kept rows that the store held already.
    """

    days: tuple[date, ...]
    counts: dict[str, int]
    known: int


@dataclass(frozen=True)
class ClickStore:
    """Checked clicks on disk, a Parquet file for each UTC day on which sessions start, with fingerprints.

    Logs of users are cut into sessions on entry, named ``user@start``; ``gap`` is the silence that ends one.
    Clicks that come late, also after midnight, join the session they belong to if that starts at most a day
    away. Adding the same clicks again changes nothing, and the order of adding does not matter. One writer
    at a time; a write that was interrupted is made whole by adding the same clicks again.

    >>> import tempfile
    >>> log = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [86390, 86410]})
    >>> store = ClickStore(Path(tempfile.mkdtemp()))
    >>> store.add(log).days, store.add(log).days
    ((datetime.date(1970, 1, 1),), ())
    """

    folder: Path
    gap: timedelta = timedelta(minutes=30)

    def add(self, clicks: Frame) -> Added:
        """Check clicks and merge them into their days; rejected rows go to rejected/.

        Raises:
            SchemaError: a column is missing, or ids are of another type than the store's.
        """
        checked = check_clicks(clicks)
        new = checked.clicks.collect()
        self._reject(checked.rejected)
        if new.is_empty():
            return Added((), checked.counts, 0)
        owner = SESSION if SESSION in new.columns else USER
        old = self._near(new, owner)
        merged = self._in_sessions(pl.concat([new, old.select(new.columns)]).unique(), owner)
        known = new.height + old.height - merged.height
        days = sorted({*merged[_DAY].unique(), *old[_DAY].unique()})
        changed = [day for day in days if self._rewrite(day, merged, owner)]
        return Added(tuple(changed), checked.counts, known)

    def forget(self, clicks: Frame) -> tuple[date, ...]:
        """Take clicks out again; the rest of their sessions stays, on the day on which that starts.

        Doing it again changes nothing; one that was interrupted is made whole by doing it again.

        Returns:
            The partitions that changed.

        Raises:
            SchemaError: a column is missing, or ids are of another type than the store's.
        """
        gone = check_clicks(clicks).clicks.collect()
        if gone.is_empty():
            return ()
        owner = SESSION if SESSION in gone.columns else USER
        old = self._near(gone, owner)
        left = old.drop(_DAY).unique().join(gone, on=[owner, ITEM, TIME], how="anti")
        left = self._in_sessions(left.select(gone.columns), owner)
        latest_first = sorted(
            {*old[_DAY].unique(), *left[_DAY].unique()}, reverse=True
        )  # rests move to later days
        changed = [day for day in latest_first if self._rewrite(day, left, owner, gone)]
        return tuple(sorted(changed))

    def days(self) -> list[date]:
        """The days that have a partition, in order."""
        return [date.fromisoformat(day) for day in self._manifest()]

    def events(self, first: date | None = None, last: date | None = None) -> pl.LazyFrame:
        """Events of the sessions that start from ``first`` to ``last``, both included: session_id, item_id,
        time.

        Raises:
            ClickLogError: there are none.
        """
        days = self._between(first, last)
        if not days:
            raise ClickLogError(
                f"the store {self.folder} has no sessions from {first or 'ever'} to {last or 'now'}"
            )
        return pl.concat([pl.scan_parquet(self._file(day), glob=False) for day in days]).select(
            SESSION, ITEM, TIME
        )

    def fingerprints(self, first: date | None = None, last: date | None = None) -> dict[date, str]:
        """The fingerprint of each partition."""
        manifest = self._manifest()
        return {day: str(manifest[day.isoformat()]["fingerprint"]) for day in self._between(first, last)}

    def fingerprint(self, first: date | None = None, last: date | None = None) -> str:
        """One fingerprint for the partitions from ``first`` to ``last``."""
        return digest_of(*(f"{day} {text}" for day, text in self.fingerprints(first, last).items()))

    def _between(self, first: date | None, last: date | None) -> list[date]:
        return [day for day in self.days() if (first or day) <= day <= (last or day)]

    def _file(self, day: date) -> Path:
        return self.folder / f"{_DAY}={day.isoformat()}" / "clicks.parquet"

    def _manifest(self) -> dict[str, Facts]:
        path = self.folder / _MANIFEST
        return dict(sorted(json.loads(path.read_text()).items())) if path.exists() else {}

    def _partition(self, day: date, like: pl.DataFrame) -> pl.DataFrame:
        """The rows of a day; a file that a broken-off write left outside the manifest is read too."""
        if not self._file(day).exists():
            return like.clear()
        table = pl.read_parquet(self._file(day), glob=False)
        if table.schema != like.schema:
            raise SchemaError(f"the store {self.folder} holds {dict(table.schema)}; got {dict(like.schema)}")
        return table

    def _near(self, new: pl.DataFrame, owner: str) -> pl.DataFrame:
        """What the store knows of the sessions (or users) of new clicks, on their days and the days
        beside.
        """
        own = new[TIME].dt.date().unique()
        days = sorted({day + step * _ONE_DAY for day in own for step in (-1, 0, 1)})
        like = _stored(new, owner)
        parts = [self._partition(day, like).with_columns(pl.lit(day).alias(_DAY)) for day in days]
        return pl.concat(parts).join(new, on=owner, how="semi")

    def _in_sessions(self, clicks: pl.DataFrame, owner: str) -> pl.DataFrame:
        """Clicks with their session and the day on which it starts."""
        events = clicks if owner == SESSION else sessionize(clicks, gap=self.gap).collect()
        events = events.with_columns(pl.col(TIME).min().over(SESSION).alias(START))
        if owner == USER:
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
        like = _stored(merged, owner)
        place = merged if known is None else known
        others = self._partition(day, like).join(place, on=owner, how="anti")
        table = pl.concat([others, mine.select(like.columns)]).sort(SESSION, TIME, ITEM)
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
        facts: Facts = {
            "events": table.height,
            "sessions": table[SESSION].n_unique(),
            "fingerprint": fingerprint,
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


def _stored(table: pl.DataFrame, owner: str) -> pl.DataFrame:
    """An empty frame with the columns of a partition."""
    kinds = {
        SESSION: pl.String() if owner == USER else table.schema[SESSION],
        ITEM: table.schema[ITEM],
        TIME: UTC_TIME,
    }
    return pl.DataFrame(schema={**kinds, **({USER: table.schema[USER]} if USER in table.columns else {})})
