"""A log cut into buckets on disk, so that each can be worked on in memory whatever the size of the whole.

After the checks a bucket is arrays: numbers instead of ids, so that no text moves through later stages.
"""

import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.clicks.believable import Limits
from recsys_gru.clicks.check import REASON, as_they_came, sieve
from recsys_gru.clicks.frames import ITEM, SESSION, START, TIME, USER, UTC_TIME
from recsys_gru.clicks.ledger import Tally
from recsys_gru.clicks.order import by_hash, codes, item_steps, numbered, run_starts
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.scan import collect, whole_files
from recsys_gru.clicks.sessionize import sessionize
from recsys_gru.kernels.rules import Rows

ROWS_AT_ONCE = 4_000_000
"""Rows of a log that are held in memory together."""
REPEAT, ROBOT = "consecutive repeat", "session too long for a person"
_BUCKET, _ROW = "bucket", "_row"
_MINUTE = 60_000_000


def scatter(frame: pl.LazyFrame, n_buckets: int, folder: Path) -> list[Path]:
    """Deal the rows out to buckets by a hash of their owner, each a folder of its own, in one streaming pass;
    buckets in order. ``dealt`` gives the rows of one, in the order that they came in.
    """
    bucket = pl.col(owner_of(frame)).hash(0) % n_buckets
    target = pl.PartitionBy(folder, key={_BUCKET: bucket}, include_key=False)
    folder.mkdir(parents=True)
    with whole_files():
        frame.with_row_index(_ROW).sink_ipc(target, mkdir=True, engine="streaming")
    return sorted(folder.iterdir(), key=lambda path: int(path.name.partition("=")[2]))


def scan_dealt(folders: Iterable[Path]) -> pl.LazyFrame:
    """The rows of buckets, in no promised order."""
    files = [file for folder in folders for file in sorted(folder.glob("*.ipc"))]
    return pl.scan_ipc(files, glob=False)


def dealt(folder: Path) -> pl.LazyFrame:
    """The rows of a bucket in the order of the log."""
    return scan_dealt([folder]).sort(_ROW).drop(_ROW)


def owner_of(frame: pl.LazyFrame) -> str:
    """The column that says whose click it is and never ends up in two buckets."""
    return SESSION if SESSION in frame.collect_schema().names() else USER


@contextmanager
def in_parts(frame: pl.LazyFrame, rows_per_part: int) -> Iterator[list[pl.LazyFrame]]:
    """The log as parts that fit into memory one at a time, all rows of an owner in one; files of parts are
    gone at the end.
    """
    rows = int(collect(frame.select(pl.len())).item())
    if rows <= rows_per_part:
        yield [collect(frame).lazy()]
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = scatter(frame, math.ceil(rows / rows_per_part), Path(folder) / "parts")
        yield [dealt(path) for path in paths]


class ItemNumbers:
    """Items numbered as they are met, one number for all buckets."""

    def __init__(self) -> None:
        self._met: pl.DataFrame | None = None

    def __len__(self) -> int:
        return 0 if self._met is None else self._met.height

    def numbers(self, found: pl.Series) -> NDArray[np.int32]:
        """The numbers of different items, new ones for items not met before; (n,) int32."""
        table = found.alias(ITEM).to_frame()
        if self._met is not None:
            table = table.join(self._met, on=ITEM, how="left", maintain_order="left")
        else:
            table = table.with_columns(pl.lit(None, dtype=pl.Int32).alias("number"))
        fresh = pl.col("number").is_null()
        table = table.with_columns(
            pl.when(fresh)
            .then(fresh.cum_sum() - 1 + len(self))
            .otherwise("number")
            .cast(pl.Int32)
            .alias("number")
        )
        more = table.filter(pl.col("number") >= len(self))
        self._met = more if self._met is None else pl.concat([self._met, more])
        return table["number"].to_numpy()

    def ids(self) -> pl.Series:
        """The items in the order of their numbers."""
        return pl.Series(ITEM, [], dtype=pl.Int64) if self._met is None else self._met[ITEM]


@dataclass(frozen=True)
class Bucket:
    """One bucket after the checks, and what the whole log needs to know of it.

    Attributes:
        folder: its arrays and the ids of its sessions.
        last: the last good time in microseconds, None where there is none.
        starts: good sessions by minute of their start.
        steps: how many tied neighbours go up and how many down in the order of their items, (2,).
    """

    folder: Path
    last: int | None
    starts: pl.DataFrame
    steps: NDArray[np.int64]

    def rows(self) -> Rows:
        """The arrays, mapped into memory."""
        return Rows(*(np.load(self.folder / f"{name}.npy", mmap_mode="r") for name in Rows._fields))

    def ids(self) -> pl.DataFrame:
        """The session_id, and for logs of users the user_id, of each session."""
        return pl.read_parquet(self.folder / "ids.parquet", glob=False)

    def keep_levels(self, levels: NDArray[np.int8]) -> None:
        """Write which rule took each row."""
        np.save(self.folder / "levels.npy", levels)

    def frame(self, where: NDArray[np.bool_], items: ItemNumbers, rules: list[str]) -> pl.DataFrame:
        """Some of the rows as they were, with their reason."""
        rows, place = self.rows(), np.flatnonzero(where)
        session = np.repeat(np.arange(len(rows.sizes)), rows.sizes)[place]
        table = pl.DataFrame(
            {
                SESSION: self.ids()[SESSION][session],
                ITEM: items.ids()[rows.items[place].astype(np.int64)],
                TIME: pl.Series(rows.times[place]).cast(UTC_TIME),
                REASON: pl.Series(rules, dtype=pl.String)[rows.levels[place].astype(np.int64)],
            }
        )
        users = self.folder / "users.parquet"
        if not users.exists():
            return table
        return table.with_columns(pl.read_parquet(users, glob=False)[USER][place])


@dataclass(frozen=True)
class Checker:
    """Applies to each bucket the rules that need one session only.

    Attributes:
        folder: where buckets and quarantine go.
        recipe: the rules' settings.
        rules: all rules in their order.
        tally: counts what each rule takes.
        items: the numbers of the items met so far.
        hashed: whether clicks of equal time are put by a hash, as their order is that of the items.
    """

    folder: Path
    recipe: Recipe
    rules: list[str]
    tally: Tally
    items: ItemNumbers = field(default_factory=ItemNumbers)
    hashed: bool = False

    def check(self, number: int, rows: pl.DataFrame, limits: Limits) -> Bucket:
        """Write the readable rows of a bucket as arrays, and the others to quarantine."""
        owner = owner_of(rows.lazy())
        owners, known = coded(rows[owner], ordered=owner == USER)
        items, found = coded(rows[ITEM], ordered=True)  # their order tells whether ties lie by item
        good, bad = sieve(rows.with_columns(owners, items), limits)
        steps = item_steps(good, owner)
        if self.hashed:
            good = by_hash(good, owner, (known.gather(good[owner]), found.gather(good[ITEM])))
        events = good if owner == SESSION else sessionize(good, gap=self.recipe.gap).collect()
        if bad.height:
            whole = bad.with_columns(known.gather(bad[owner]), found.gather(bad[ITEM]))
            write_quarantine(as_they_came(whole), self.folder / "quarantine" / f"unreadable-{number}.parquet")
            self.tally.add(_named(bad, events).with_columns(whole[ITEM]))
        starts = run_starts(events[SESSION])
        firsts = known.gather(events[owner][starts])
        sizes = np.diff(starts, append=events.height)
        numbers = self.items.numbers(found)[events[ITEM].to_numpy()]
        levels = self._levels(numbers, starts, sizes)
        packed = Rows(numbers, events[TIME].dt.epoch("us").to_numpy(), levels, sizes)
        place = self.folder / "work" / f"bucket-{number}"
        place.mkdir(parents=True)
        for name, array in packed._asdict().items():
            np.save(place / f"{name}.npy", array)
        ids = {SESSION: events[SESSION][starts], USER: firsts} if owner == USER else {SESSION: firsts}
        _quick(pl.DataFrame(ids), place / "ids.parquet")
        if USER in events.columns:
            users = events.select(USER) if owner == SESSION else known.gather(events[USER]).to_frame()
            _quick(users, place / "users.parquet")
        return self._bucket(place, packed, starts, steps)

    def _levels(
        self, items: NDArray[np.int32], starts: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> NDArray[np.int8]:
        levels = np.full(len(items), len(self.rules), dtype=np.int8)
        if self.recipe.collapse and len(items):
            again = np.append(False, items[1:] == items[:-1])
            again[starts] = False
            levels[again] = self.rules.index(REPEAT)
        if self.recipe.max_length is not None and len(items):
            good = levels == len(self.rules)
            long = np.add.reduceat(good, starts, dtype=np.int64) > self.recipe.max_length
            levels[good & np.repeat(long, sizes)] = self.rules.index(ROBOT)
        return levels

    def _bucket(self, place: Path, rows: Rows, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> Bucket:
        """The first row of a session is never a repeat, so a session is good where its first row is."""
        good = rows.levels == len(self.rules)
        first = rows.times[starts[good[starts]]]
        minutes = pl.Series(START, first // _MINUTE * _MINUTE).cast(UTC_TIME)
        counted = minutes.to_frame().group_by(START).agg(pl.len().alias("sessions"))
        return Bucket(place, int(rows.times[good].max()) if good.any() else None, counted, steps)


def coded(ids: pl.Series, *, ordered: bool) -> tuple[pl.Series, pl.Series]:
    """Ids as numbers, null where they are null, and what the numbers stand for."""
    whole = ids.is_not_null()
    numbers, known = (codes if ordered else numbered)(ids.drop_nulls())
    if whole.all():
        return pl.Series(ids.name, numbers), known.alias(ids.name)
    table = np.zeros(len(ids), dtype=np.int64)
    table[whole.to_numpy()] = numbers
    return pl.select(pl.when(whole).then(pl.Series(table)).alias(ids.name)).to_series(), known.alias(ids.name)


def _quick(table: pl.DataFrame, path: Path) -> None:
    """Write a table that is read back soon."""
    table.write_parquet(path, compression="lz4", statistics=False)


def _named(bad: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows for the tally: sessions that have readable rows too are counted with those."""
    if SESSION not in bad.columns:
        return bad.select(pl.lit(None, dtype=pl.String).alias(SESSION), ITEM, REASON)
    alone = bad.select(SESSION).unique().join(events.select(SESSION).unique(), on=SESSION, how="anti")
    counted = pl.when(pl.col(SESSION).is_in(alone[SESSION].implode())).then(pl.col(SESSION))
    return bad.select(counted.alias(SESSION), ITEM, REASON)


def write_quarantine(rows: pl.DataFrame, path: Path) -> None:
    """Write rejected rows, sorted, where there are any."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if rows.height:
        rows.sort(pl.all(), nulls_last=True).write_parquet(path)


def last_of(buckets: list[Bucket]) -> datetime | None:
    """The last good time of the whole log."""
    ends = [bucket.last for bucket in buckets if bucket.last is not None]
    last: datetime | None = pl.Series([max(ends)]).cast(UTC_TIME)[0] if ends else None
    return last
