"""A generator of click logs whose law lies in facts about the items, new ones among them every day."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import real_number, whole_number
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, UTC_TIME
from recsys_gru.clicks.generate import A_DAY, LONGEST_SESSION, MOST, MOST_DAYS, START, draw, draw_seconds
from recsys_gru.errors import ParameterError

_FOLLOW, _SLOT_SHARES, _STAY = 0.8, (0.6, 0.3, 0.1), 0.75
_LOWEST_PRICE = 10.0
_ABOVE = 1 + 1e-9  # sums of the same numbers differ in their last digits
_COLOURS = ("black", "blue", "green", "red", "white")


@dataclass(frozen=True)
class FactsLaw:
    """The law that clicks follow: category leads to category, and price band to price band.

    With probability ``follow`` the next item is of a category drawn by the one before and, apart from that,
    of a price band drawn by the one before, any item of both alike; else it is any item of all. Items are
    there from the day they are added.

    Attributes:
        category: of each item, (N,) int64; item ids are 0..N-1.
        band: the price band of each item, (N,) int64.
        added: the day each item is added, from 0, (N,) int64.
        categories: the probability of each category after each, (C, C).
        bands: the probability of each band after each, (B, B).
        follow: the probability that the law is followed.
    """

    category: NDArray[np.int64]
    band: NDArray[np.int64]
    added: NDArray[np.int64]
    categories: NDArray[np.float64]
    bands: NDArray[np.float64]
    follow: float = _FOLLOW

    @property
    def kind(self) -> NDArray[np.int64]:
        """Category and band of each item as one number, (N,)."""
        return self.category * len(self.bands) + self.band

    def next_probabilities(self, item: int, day: int) -> NDArray[np.float64]:
        """The probability of each item to be the next one after an item on a day, (N,)."""
        there = self.added <= day
        kinds = np.outer(self.categories[self.category[item]], self.bands[self.band[item]]).ravel()
        share = kinds / np.maximum(np.bincount(self.kind[there], minlength=len(kinds)), 1)
        chances = self.follow * share[self.kind] + (1 - self.follow) / there.sum()
        return np.where(there, chances, 0.0)

    def best_recall(self, clicks: pl.DataFrame, items: pl.Series, *, k: int = 20, day: int) -> float:
        """The best recall@k there is over the clicks on some items, from the second of a session on.

        It is what one who knows the law expects, with the items of equal probability in any order.

        Args:
            clicks: session_id, item_id, time.
            items: ids of the items whose clicks are counted.
            day: what is in the catalogue: the items added by that day.
        """
        before = pl.col(ITEM).shift().over(SESSION).alias("before")
        pairs = clicks.sort(SESSION, TIME, maintain_order=True).select(before, ITEM).drop_nulls()
        hits = []
        for last, target in pairs.filter(pl.col(ITEM).is_in(items.implode())).iter_rows():
            chances = self.next_probabilities(last, day)
            above, alike = chances > chances[target] * _ABOVE, chances >= chances[target] / _ABOVE
            hits.append(min(1.0, max(0.0, (k - above.sum()) / (alike.sum() - above.sum()))))
        return float(np.mean(hits)) if hits else 0.0


class Catalogue(NamedTuple):
    """A click log, facts about its items, and the law behind both.

    Attributes:
        clicks: session_id, item_id and time.
        items: item_id, category, price, and a colour that means nothing.
        law: what comes after what.
    """

    clicks: pl.DataFrame
    items: pl.DataFrame
    law: FactsLaw


def generate_catalogue(
    n_sessions: int = 20_000,
    n_items: int = 1_000,
    days: int = 10,
    seed: int = 0,
    *,
    new_share: float = 0.05,
    categories: int = 20,
    bands: int = 4,
) -> Catalogue:
    """Draw a click log in which facts about items tell what comes next, also of items that are new.

    Args:
        new_share: the share of the items that is added on each day after the first.
        categories: how many there are; each leads to three of them.
        bands: how many price bands; the next price is mostly of the same one.

    Raises:
        ParameterError: a size is no whole number of at least 1, or too few items are there on the first day.

    >>> made = generate_catalogue(n_sessions=100, n_items=200, days=3, seed=1)
    >>> made.items.columns, round(float(made.law.next_probabilities(item=5, day=2).sum()), 6)
    (['item_id', 'category', 'price', 'colour'], 1.0)
    """
    n_sessions, days = (
        whole_number("n_sessions", n_sessions, 1, MOST),
        whole_number("days", days, 1, MOST_DAYS),
    )
    n_items, seed = whole_number("n_items", n_items, 1, MOST), whole_number("seed", seed, 0)
    categories, bands = whole_number("categories", categories, 1, MOST), whole_number("bands", bands, 1, 30)
    new_share = real_number("new_share", new_share)
    old = n_items - (days - 1) * int(new_share * n_items)
    if new_share < 0 or old < categories * bands:
        raise ParameterError(
            f"expected items of {categories} x {bands} kinds on the first day; there are {max(old, 0)}: more "
            "items, fewer days, or a smaller new_share"
        )
    law, items = _law(np.random.default_rng([seed, 2]), n_items, days, old, (categories, bands))
    rng = np.random.default_rng([seed, 3])
    lengths = np.minimum(rng.geometric(1 / 5.0, n_sessions), LONGEST_SESSION)
    seconds = draw_seconds(lengths, days, rng)
    steps = _steps(law, lengths, seconds[0] // A_DAY, rng)
    log = pl.DataFrame(
        {
            SESSION: np.concatenate([np.flatnonzero(lengths > step) for step in range(len(steps))]),
            ITEM: np.concatenate(steps),
            TIME: (np.concatenate(seconds) + int(START.timestamp())) * 1_000_000,
        }
    )
    return Catalogue(log.with_columns(pl.col(TIME).cast(UTC_TIME)).sort(TIME, SESSION, ITEM), items, law)


def _law(
    rng: np.random.Generator, n_items: int, days: int, old: int, sizes: tuple[int, int]
) -> tuple[FactsLaw, pl.DataFrame]:
    """The law and the facts; every day's items are of all kinds alike."""
    n_categories, n_bands = sizes
    order, kinds = rng.permutation(n_items), np.arange(n_items) % (n_categories * n_bands)
    kind, added = np.empty(n_items, dtype=np.int64), np.zeros(n_items, dtype=np.int64)
    kind[order] = kinds
    added[order[old:]] = 1 + np.arange(n_items - old) * (days - 1) // max(1, n_items - old)
    after = np.zeros((n_categories, n_categories))
    ring = rng.permutation(n_categories)
    for step, share in enumerate(_SLOT_SHARES, start=1):
        after[ring, np.roll(ring, -step)] += share
    stay = np.eye(n_bands) * _STAY + (1 - _STAY) * (np.ones((n_bands, n_bands)) - np.eye(n_bands)) / max(
        1, n_bands - 1
    )
    category, band = np.divmod(kind, n_bands)
    price = _LOWEST_PRICE * 2.0 ** (band + rng.random(n_items))
    names = pl.Series([f"category {number}" for number in range(n_categories)])
    items = pl.DataFrame(
        {
            ITEM: np.arange(n_items),
            "category": names.gather(category),
            "price": price.round(2),
            "colour": rng.choice(_COLOURS, n_items),
        }
    )
    return FactsLaw(category, band, added, after, stay / stay.sum(axis=1, keepdims=True)), items


def _steps(
    law: FactsLaw, lengths: NDArray[np.int64], day: NDArray[np.int64], rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The items of all sessions' first clicks, second clicks and so on."""
    shelves = [_Shelves.of(law, int(one)) for one in range(int(day.max()) + 1)]
    zipf = 1.0 / (rng.permutation(len(law.added)) + 10.0)
    steps, current = [], np.zeros(len(lengths), dtype=np.int64)
    for step in range(int(lengths.max())):
        following = np.zeros(len(lengths), dtype=np.int64)
        for today, shelf in enumerate(shelves):
            alive = np.flatnonzero((lengths > step) & (day == today))
            if not step:
                weights = np.cumsum(np.where(law.added <= today, zipf, 0.0))
                following[alive] = draw(weights, rng.random(len(alive)))
            else:
                following[alive] = shelf.after(law, current[alive], rng)
        current = following
        steps.append(current[lengths > step])
    return steps


class _Shelves(NamedTuple):
    """The items of a day in the order of their kinds, and where each kind begins."""

    items: NDArray[np.int64]
    begins: NDArray[np.int64]

    @classmethod
    def of(cls, law: FactsLaw, day: int) -> "_Shelves":
        there = np.flatnonzero(law.added <= day)
        order = there[np.argsort(law.kind[there], kind="stable")]
        kinds = len(law.categories) * len(law.bands)
        return cls(order, np.searchsorted(law.kind[order], np.arange(kinds + 1)))

    def after(self, law: FactsLaw, items: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """What comes after each of some items."""
        category = _drawn(law.categories[law.category[items]], rng)
        kind = category * len(law.bands) + _drawn(law.bands[law.band[items]], rng)
        low, high = self.begins[kind], self.begins[kind + 1]
        of_kind = low + (rng.random(len(items)) * (high - low)).astype(np.int64)
        of_all = rng.integers(0, len(self.items), len(items))
        return self.items[np.where(rng.random(len(items)) < law.follow, of_kind, of_all)]


def _drawn(chances: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """One place of each row, by its chances."""
    sums = np.cumsum(chances, axis=1)
    places: NDArray[np.int64] = (sums < rng.random((len(sums), 1)) * sums[:, -1:]).sum(axis=1)
    return places
