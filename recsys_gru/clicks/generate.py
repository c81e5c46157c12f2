"""A generator of realistic click logs whose law is known, so that the right answer is too."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import LONGEST, flag, real_number, whole_number
from recsys_gru.clicks.frames import ITEM, SESSION, TIME, UTC_TIME
from recsys_gru.errors import ParameterError

START = datetime(2026, 1, 1, tzinfo=UTC)
A_DAY = 86_400
LONGEST_SESSION = 50
MOST, MOST_DAYS = 2**31 - 1, LONGEST.days
_EVENING_PEAK, _DAILY_SWING = 20 * 3600, 0.7
_MEDIAN_PAUSE, _PAUSE_SPREAD, _LONGEST_PAUSE = 40.0, 1.0, 1500.0


@dataclass(frozen=True)
class PlantedLaw:
    """The law that clicks follow: each session has a taste, each item but the hubs belongs to one taste.

    With probability ``follow`` the next item is one of the successors of (taste, item), else a draw by
    popularity. The successors of an ordinary item do not depend on the taste, those of a hub do: after a hub
    only the session's past tells what comes, which a chain over single items cannot know.

    Attributes:
        successors: item numbers, (tastes, N, slots) int32.
        slot_shares: the probability of each slot when the law is followed, (slots,).
        popularity: the probability of each item otherwise, (N,).
        taste_of: the taste of each item, -1 for hubs, (N,) int32.
        follow: the probability that the law is followed.
    """

    successors: NDArray[np.int32]
    slot_shares: NDArray[np.float64]
    popularity: NDArray[np.float64]
    taste_of: NDArray[np.int32]
    follow: float

    def next_probabilities(self, taste: int, item: int) -> NDArray[np.float64]:
        """The probability of each item to come next in a session of a taste, (N,)."""
        chances = (1 - self.follow) * self.popularity
        np.add.at(chances, self.successors[taste, item], self.follow * self.slot_shares)
        return chances


def planted_law(
    n_items: int = 1_500, seed: int = 0, *, tastes: int = 20, slots: int = 6, follow: float = 0.8
) -> PlantedLaw:
    """The law behind ``generate_clicks`` with the same number of items and seed.

    Raises:
        ParameterError: too few items for the tastes.

    >>> law = planted_law(n_items=200, seed=1)
    >>> round(float(law.next_probabilities(taste=0, item=5).sum()), 6)
    1.0
    """
    n_items, seed = whole_number("n_items", n_items, 1, MOST), whole_number("seed", seed, 0)
    tastes, slots = whole_number("tastes", tastes, 1, MOST), whole_number("slots", slots, 1, MOST)
    if not 0 <= real_number("follow", follow) <= 1:
        raise ParameterError(f"expected follow, a probability, between 0 and 1, got {follow}: .8 is usual")
    rng = np.random.default_rng([seed, 0])
    tastes = max(1, min(tastes, n_items // 10))
    zipf = (1.0 / (np.arange(n_items) + 10.0)).astype(np.float64)
    popularity = rng.permutation(zipf / zipf.sum()).astype(np.float64)
    taste_of = rng.integers(0, tastes, n_items).astype(np.int32)
    taste_of[np.argsort(-popularity, kind="stable")[: n_items // 20]] = -1
    own = np.stack([_successors(rng, popularity, taste_of, taste, slots) for taste in range(tastes)])
    home = np.where(taste_of >= 0, taste_of, 0)
    by_taste = np.where(taste_of[None, :, None] >= 0, own[home, np.arange(n_items)][None], own)
    shares = np.power(0.6, np.arange(slots, dtype=np.float64))
    return PlantedLaw(by_taste, shares / shares.sum(), popularity, taste_of, follow)


def _successors(
    rng: np.random.Generator,
    popularity: NDArray[np.float64],
    taste_of: NDArray[np.int32],
    taste: int,
    slots: int,
) -> NDArray[np.int32]:
    """Successors of every item within one taste: its own items and now and then a hub, (N, slots)."""
    hub_share = np.where(taste_of == -1, popularity, 0.0)
    own_share = np.where(taste_of == taste, np.sqrt(popularity), 0.0)
    parts = [
        (share / share.sum(), weight)
        for share, weight in ((own_share, 0.7), (hub_share, 0.3))
        if share.sum() > 0
    ]
    chances = sum((weight * share for share, weight in parts), start=np.zeros(len(popularity)))
    return rng.choice(len(popularity), (len(popularity), slots), p=chances / chances.sum()).astype(np.int32)


def generate_clicks(
    n_sessions: int = 20_000,
    n_items: int = 1_500,
    days: int = 30,
    seed: int = 0,
    *,
    mean_length: float = 5.0,
    part: int = 0,
    text_ids: bool = False,
) -> pl.DataFrame:
    """Draw a click log with session_id, item_id (whole numbers) and time (UTC, whole seconds), sorted by
    time.

    Popularity follows Zipf's law, the next click mostly ``planted_law(n_items, seed)``; lengths are
    geometric with the given mean, at most 50; sessions begin more often in the evening. Logs of different
    ``part`` follow the same law and have different sessions: put them together for a log of any size. With
    ``text_ids`` the ids are what shops write, text that no compression makes smaller: sessions like
    ``6e9c5a1f-...`` (36 characters), items of 16; each stands for one number.

    Raises:
        ParameterError: a size is no whole number of at least 1, or an argument is impossible otherwise.

    >>> generate_clicks(n_sessions=3, n_items=50, days=2, seed=7).columns
    ['session_id', 'item_id', 'time']
    """
    n_sessions, days = (
        whole_number("n_sessions", n_sessions, 1, MOST),
        whole_number("days", days, 1, MOST_DAYS),
    )
    n_items, part = whole_number("n_items", n_items, 1, MOST), whole_number("part", part, 0, MOST)
    seed, text_ids = whole_number("seed", seed, 0), flag("text_ids", text_ids)
    mean_length = real_number("mean_length", mean_length)
    if mean_length < 1:
        raise ParameterError(f"expected mean_length of 1 click or more, got {mean_length}: 5 is usual")
    law = planted_law(n_items, seed)
    rng = np.random.default_rng([seed, 1, part])
    lengths = np.minimum(rng.geometric(1 / mean_length, n_sessions), LONGEST_SESSION)
    steps = draw_steps(law, lengths, rng)
    owner = np.concatenate([np.flatnonzero(lengths > step) for step in range(len(steps))])
    seconds = draw_seconds(lengths, days, rng)
    log = pl.DataFrame(
        {
            SESSION: owner + np.int64(part) * n_sessions,
            ITEM: np.concatenate(steps).astype(np.int64),
            TIME: (np.concatenate(seconds) + int(START.timestamp())) * 1_000_000,
        }
    )
    if text_ids:
        log = log.with_columns(_as_text(log[SESSION], 2), _as_text(log[ITEM], 1))
    return log.with_columns(pl.col(TIME).cast(UTC_TIME)).sort(TIME, SESSION, ITEM)


def _as_text(ids: pl.Series, words: int) -> pl.Series:
    """Whole numbers as hexadecimal text of 64-bit words that look drawn at random; two words with dashes."""
    known = ids.unique(maintain_order=True)
    numbers = known.to_numpy().astype(np.uint64)
    mixed = np.stack([_mixed(numbers + np.uint64(word << 60)) for word in range(words)], axis=1)
    text = np.frombuffer(mixed.astype(">u8").tobytes().hex().encode(), dtype=np.uint8)
    letters = text.reshape(len(numbers), 16 * words)
    if words > 1:
        letters = np.insert(letters, (8, 12, 16, 20), ord("-"), axis=1)
    width = letters.shape[1]
    texts = pl.Series(np.ascontiguousarray(letters).view(f"S{width}").ravel()).cast(pl.String)
    return ids.replace_strict(known, texts, return_dtype=pl.String)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A one-to-one scrambling of 64-bit numbers: the finalizer of SplitMix64 (Steele et al., 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return scrambled


def draw_steps(
    law: PlantedLaw, lengths: NDArray[np.int64], rng: np.random.Generator
) -> list[NDArray[np.int32]]:
    """The items of all sessions' first clicks, second clicks and so on; step t holds the sessions longer
    than t.
    """
    by_popularity, by_slot = np.cumsum(law.popularity), np.cumsum(law.slot_shares)
    alive = np.arange(len(lengths))
    current = draw(by_popularity, rng.random(len(alive)))
    any_taste = rng.integers(0, len(law.successors), len(lengths))
    tastes = np.where(law.taste_of[current] >= 0, law.taste_of[current], any_taste)
    steps = [current]
    for step in range(1, int(lengths.max())):
        keep = lengths[alive] > step
        alive, current = alive[keep], current[keep]
        planned = law.successors[tastes[alive], current, draw(by_slot, rng.random(len(alive)))]
        other = draw(by_popularity, rng.random(len(alive)))
        current = np.where(rng.random(len(alive)) < law.follow, planned, other)
        steps.append(current)
    return steps


def draw(cumulative: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int32]:
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    numbers: NDArray[np.int32] = np.minimum(found, len(cumulative) - 1).astype(np.int32)
    return numbers


def draw_seconds(lengths: NDArray[np.int64], days: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Seconds since the log's start, in the order of ``draw_steps``."""
    elapsed = [np.zeros(len(lengths))]
    for step in range(1, int(lengths.max())):
        pause = _MEDIAN_PAUSE * np.exp(_PAUSE_SPREAD * rng.standard_normal(len(lengths)))
        going = lengths > step
        elapsed.append(elapsed[-1] + np.where(going, np.clip(pause, 1.0, _LONGEST_PAUSE), 0.0))
    begins = rng.integers(0, days, len(lengths)) * A_DAY + _second_of_day(rng.random(len(lengths)))
    begins = np.clip(begins, 0, np.maximum(days * A_DAY - 1 - elapsed[-1], 0))
    return [(begins + passed)[lengths > step].astype(np.int64) for step, passed in enumerate(elapsed)]


def _second_of_day(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """The second of the day at which a share of a day's sessions have begun: more in the evening, fewer at
    night.
    """
    second = np.arange(0, A_DAY + 1, 60)
    angle = 2 * np.pi * (second - _EVENING_PEAK) / A_DAY
    begun = second / A_DAY + _DAILY_SWING / (2 * np.pi) * (np.sin(angle) - np.sin(angle[0]))
    return np.interp(uniform, begun, second)
