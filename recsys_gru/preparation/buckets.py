"""The buckets of a log after the checks: arrays with numbers instead of ids, so that no text moves through
later stages.

Each is made, and later finished, by a function that needs nothing but the bucket and what is known of the
whole log, and leaves its answer in a folder that is there whole or not at all: any process may do it, and do
it again.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from recsys_gru.clicks.scan import collect
from recsys_gru.clicks.sessionize import sessionize
from recsys_gru.files import Place, at_hand, is_whole, whole, written
from recsys_gru.kernels.rules import Rows
from recsys_gru.preparation.dealing import owner_of

ROWS_AT_ONCE = 4_000_000
"""Rows of a log that are held in memory together."""
REPEAT, ROBOT = "consecutive repeat", "session too long for a person"
FINISHED = "finished"
_MINUTE = 60_000_000


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
    """One bucket after the checks.

    Attributes:
        number: its place among the buckets.
        folder: its arrays, whose items have numbers of this bucket's own, and the ids of sessions and items;
            what the whole log needs to know of it; and, once it is finished, what became of it.
        home: where that lies for all who work on it: the folder itself, or one in an object store of which
            the folder is a copy.
    """

    number: int
    folder: Path
    home: Place

    @contextmanager
    def here(self, *names: str) -> Iterator["Bucket"]:
        """The bucket for a task, on whatever machine that runs: of an object store a copy of these files, or
        of all, that is gone at the end.
        """
        if isinstance(self.home, Path):
            yield self
        else:
            with tempfile.TemporaryDirectory() as folder:
                yield replace(self, folder=at_hand(self.home, Path(folder), names))

    def rows(self) -> Rows:
        """The arrays, mapped into memory; the levels can be written to."""
        return self._rows(self.folder, np.array)

    def finished(self) -> Rows:
        """The arrays with the last word on every row."""
        return self._rows(self.folder / FINISHED, np.asarray)

    def _rows(self, judged: Path, kept: Callable[..., NDArray[np.int8]]) -> Rows:
        arrays = {name: self.folder if name != "levels" else judged for name in Rows._fields}
        rows = Rows(*(np.load(place / f"{name}.npy", mmap_mode="r") for name, place in arrays.items()))
        return rows._replace(levels=kept(rows.levels))

    def facts(self) -> dict[str, list[int]]:
        """``last``: the last good time in microseconds, if there is one; ``steps``: how many tied neighbours
        go up and how many down in the order of their items.
        """
        facts: dict[str, list[int]] = json.loads((self.folder / "facts.json").read_text())
        return facts

    def starts(self) -> pl.DataFrame:
        """Good sessions by minute of their start."""
        return pl.read_parquet(self.folder / "starts.parquet", glob=False)

    def ids(self) -> pl.DataFrame:
        """The session_id, and for logs of users the user_id, of each session."""
        return pl.read_parquet(self.folder / "ids.parquet", glob=False)

    def items(self) -> pl.Series:
        """The ids of its items by their number in this bucket."""
        return pl.read_parquet(self.folder / "items.parquet", glob=False)[ITEM]

    def numbers(self) -> NDArray[np.int32]:
        """The number in the whole log of each item of this bucket."""
        numbers: NDArray[np.int32] = np.load(self.folder / "numbers.npy")
        return numbers

    def number_items(self, items: ItemNumbers) -> None:
        """Give its items their numbers in the whole log."""
        np.save(self.folder / "numbers.npy", items.numbers(self.items()))

    def frame(self, rows: Rows, where: NDArray[np.bool_], rules: list[str]) -> pl.DataFrame:
        """Some of the rows as they were, with their reason."""
        place = np.flatnonzero(where)
        session = np.repeat(np.arange(len(rows.sizes)), rows.sizes)[place]
        table = pl.DataFrame(
            {
                SESSION: self.ids()[SESSION][session],
                ITEM: self.items()[rows.items[place].astype(np.int64)],
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
        folder: where quarantine goes.
        work: where buckets go.
        recipe: the rules' settings.
        rules: all rules in their order.
        limits: the times that can be believed.
        hashed: whether clicks of equal time are put by a hash, as their order is that of the items.
    """

    folder: Place
    work: Place
    recipe: Recipe
    rules: list[str]
    limits: Limits
    hashed: bool = False

    def check(self, task: tuple[int, pl.LazyFrame]) -> Place:
        """Write the readable rows of a bucket as arrays, and the others to quarantine, unless it is done."""
        number, part = task
        place = self.work / f"bucket-{number}"
        if not is_whole(place):
            with whole(place) as aside:
                self._check(number, collect(part), aside)
        return place

    def _check(self, number: int, rows: pl.DataFrame, place: Path) -> None:
        owner = owner_of(rows.lazy())
        owners, known = coded(rows[owner], ordered=owner == USER)
        items, found = coded(rows[ITEM], ordered=True)  # their order tells whether ties lie by item
        good, bad = sieve(rows.with_columns(owners, items), self.limits)
        steps = item_steps(good, owner)
        if self.hashed:
            good = by_hash(good, owner, (known.gather(good[owner]), found.gather(good[ITEM])))
        events = good if owner == SESSION else sessionize(good, gap=self.recipe.gap).collect()
        tally = Tally(self.rules)
        if bad.height:
            as_read = bad.with_columns(known.gather(bad[owner]), found.gather(bad[ITEM]))
            write_quarantine(
                as_they_came(as_read), self.folder / "quarantine" / f"unreadable-{number}.parquet"
            )
            tally.add(_named(bad, events).with_columns(as_read[ITEM]))
        tally.write(place)
        starts = run_starts(events[SESSION])
        sizes = np.diff(starts, append=events.height)
        numbers = events[ITEM].to_numpy().astype(np.int32)
        packed = Rows(
            numbers, events[TIME].dt.epoch("us").to_numpy(), self._levels(numbers, starts, sizes), sizes
        )
        for name, array in packed._asdict().items():
            np.save(place / f"{name}.npy", array)
        quick(found.alias(ITEM).to_frame(), place / "items.parquet")
        firsts = known.gather(events[owner][starts])
        ids = {SESSION: events[SESSION][starts], USER: firsts} if owner == USER else {SESSION: firsts}
        quick(pl.DataFrame(ids), place / "ids.parquet")
        if USER in events.columns:
            users = events.select(USER) if owner == SESSION else known.gather(events[USER]).to_frame()
            quick(users, place / "users.parquet")
        self._tell(place, packed, starts, steps)

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

    def _tell(self, place: Path, rows: Rows, starts: NDArray[np.int64], steps: NDArray[np.int64]) -> None:
        """The first row of a session is never a repeat, so a session is good where its first row is."""
        good = rows.levels == len(self.rules)
        first = rows.times[starts[good[starts]]]
        minutes = pl.Series(START, first // _MINUTE * _MINUTE).cast(UTC_TIME)
        quick(minutes.to_frame().group_by(START).agg(pl.len().alias("sessions")), place / "starts.parquet")
        last = [int(rows.times[good].max())] if good.any() else []
        (place / "facts.json").write_text(json.dumps({"last": last, "steps": steps.tolist()}))


def coded(ids: pl.Series, *, ordered: bool) -> tuple[pl.Series, pl.Series]:
    """Ids as numbers, null where they are null, and what the numbers stand for."""
    whole = ids.is_not_null()
    numbers, known = (codes if ordered else numbered)(ids.drop_nulls())
    if whole.all():
        return pl.Series(ids.name, numbers), known.alias(ids.name)
    table = np.zeros(len(ids), dtype=np.int64)
    table[whole.to_numpy()] = numbers
    return pl.select(pl.when(whole).then(pl.Series(table)).alias(ids.name)).to_series(), known.alias(ids.name)


def quick(table: pl.DataFrame, path: Path) -> None:
    """Write a table that is read back soon."""
    table.write_parquet(path, compression="lz4", statistics=False)


def _named(bad: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows for the tally: sessions that have readable rows too are counted with those."""
    if SESSION not in bad.columns:
        return bad.select(pl.lit(None, dtype=pl.String).alias(SESSION), ITEM, REASON)
    alone = bad.select(SESSION).unique().join(events.select(SESSION).unique(), on=SESSION, how="anti")
    counted = pl.when(pl.col(SESSION).is_in(alone[SESSION].implode())).then(pl.col(SESSION))
    return bad.select(counted.alias(SESSION), ITEM, REASON)


def write_quarantine(rows: pl.DataFrame, place: Place) -> None:
    """Write rejected rows, sorted, where there are any."""
    if rows.height:
        with written(place) as file:
            rows.sort(pl.all(), nulls_last=True).write_parquet(file)


def last_of(buckets: list[Bucket]) -> datetime | None:
    """The last good time of the whole log."""
    ends = [time for bucket in buckets for time in bucket.facts()["last"]]
    last: datetime | None = pl.Series([max(ends)]).cast(UTC_TIME)[0] if ends else None
    return last
