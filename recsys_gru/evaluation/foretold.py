"""One replay of sessions: every click foretold from what goes before it, as rows of a rank ledger."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.engines import Engine
from recsys_gru.evaluation.bar import bar
from recsys_gru.evaluation.ledger import RANK_OF_TIES, ranks_up_to
from recsys_gru.evaluation.ranked import Ranked, by_model, by_popularity
from recsys_gru.evaluation.views import MODEL, POPULARITY, UNKNOWN
from recsys_gru.ranking import BoundFilter, ItemFilter, Scorer
from recsys_gru.sessions import Sessions, parts_of, within


@dataclass(frozen=True)
class Foretold:
    """The clicks of some sessions, foretold.

    Attributes:
        ledger: one row per click, of every one that something goes before.
        barred: clicks of the ledger that the item filter bars, by who foretold them.
        unknown: counted clicks on unknown items, those that begin their session included.
    """

    ledger: pl.DataFrame
    barred: dict[str, int]
    unknown: int


def foretell(
    model: Scorer,
    sessions: Sessions,
    bound: BoundFilter,
    rows: int,
    *,
    up_to: int | None = None,
    progress: bool = False,
) -> Foretold:
    """Rank every counted click that something goes before: by the model, by popularity where all before it is
    unknown, and as a miss where it is unknown itself; of ranks by the model those up to `up_to`, if given.
    """
    ranked = by_model(model, sessions, bound, rows, up_to)
    replayed = Ranked.of(list(_watched(ranked, sessions, progress)))
    fallback = Ranked.of(list(by_popularity(sessions, bound, rows)))
    unknown = _counted_unknown(sessions)
    parts = _ledger(sessions, replayed, MODEL), _ledger(sessions, fallback, POPULARITY), _misses(unknown)
    barred = {MODEL: int(replayed.excluded.sum()), POPULARITY: int(fallback.excluded.sum())}
    ledger = pl.concat(parts, how="vertical_relaxed")
    return Foretold(ledger if up_to is None else ranks_up_to(ledger, up_to), barred, unknown.height)


@final
@dataclass(frozen=True)
class Foreteller:
    """Foretells a part of the sessions wherever the model is.

    Attributes:
        model: what gives it.
        items: which items compete.
        rows: prefixes scored at once.
        progress: whether to draw a bar.
    """

    model: Callable[[], Scorer]
    items: ItemFilter
    rows: int
    progress: bool

    def by(self, engine: Engine, sessions: Sessions) -> Foretold:
        """All sessions, a part after the other; the ledger is the same in one part and in many."""
        parts = [sessions] if engine.parts == 1 else parts_of(sessions, engine.parts)
        told = list(engine.map(self, parts))
        rows = pl.concat([one.ledger for one in told])
        ledger = pl.concat([rows.filter(source=name) for name in (MODEL, POPULARITY, UNKNOWN)])
        barred = {name: sum(one.barred[name] for one in told) for name in told[0].barred}
        return Foretold(ledger, barred, sum(one.unknown for one in told))

    def __call__(self, part: Sessions) -> Foretold:
        """A part."""
        model = self.model()
        sessions = within(part, model.vocabulary_)
        return foretell(model, sessions, self.items.bind(sessions), self.rows, progress=self.progress)


def _watched(parts: Iterable[Ranked], sessions: Sessions, progress: bool) -> Iterator[Ranked]:
    """The parts as they come, with a bar on a terminal."""
    total = int(np.maximum(sessions.lengths - 1, 0).sum())
    with bar("events ranked", total, draw=progress) as done:
        for part in parts:
            yield part
            done(len(part.events))


def _ledger(sessions: Sessions, ranked: Ranked, source: str) -> pl.DataFrame:
    owner = np.searchsorted(sessions.offsets, ranked.events, side="right") - 1  # (R,)
    targets = sessions.items[ranked.events]
    above, equal, above_shown, equal_shown = ranked.counts.astype(np.float64)
    frame = pl.DataFrame(
        {
            "session_id": sessions.ids.gather(owner),
            "position": ranked.events - sessions.offsets[owner],
            "item_id": sessions.vocabulary.take(targets),
            "rank": above + equal,
            "rank_standard": above + 1,
            "rank_median": above + (equal - 1) / 2 + 1,
            "support": sessions.vocabulary.support[targets],
            "repeat": sessions.repeats[ranked.events],
            "time": pl.Series(sessions.times[ranked.events]).cast(pl.Datetime("us", "UTC")),
            "rank_shown": np.where(equal_shown > 0, above_shown + equal_shown, np.inf),
            "tied": _tied(sessions, ranked.events, source),
        }
    )
    barred = pl.when(pl.Series(ranked.excluded)).then(float("inf"))
    infinite = barred.otherwise(pl.col(*RANK_OF_TIES.values(), "rank_shown"))
    return _columns(frame.with_columns(infinite.name.keep()), source)


def _tied(sessions: Sessions, events: NDArray[np.int64], source: str) -> pl.Series:
    """Whether each event (R,) has the time of the known one before it; null where there is none."""
    if source != MODEL:
        return pl.Series(values=[None] * len(events), dtype=pl.Boolean)
    return pl.Series(sessions.times[events] == sessions.times[events - 1], dtype=pl.Boolean)


def _counted_unknown(sessions: Sessions) -> pl.DataFrame:
    """The counted clicks on unknown items, and whether their item came before in its session."""
    repeat = ~pl.struct("session_id", "item_id").is_first_distinct()
    unknown = sessions.unknown.with_columns(repeat=repeat)
    since = sessions.since
    return unknown if since is None else unknown.filter(pl.col("time").dt.epoch("us") >= since)


def _misses(unknown: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows of the unknown clicks; their place in the replay is null, for they are not in it."""
    infinite = [pl.lit(float("inf")).alias(name) for name in (*RANK_OF_TIES.values(), "rank_shown")]
    targets = unknown.filter(pl.col("position") > 0).with_columns(
        *infinite,
        support=pl.lit(0, pl.Int64),
        position=pl.lit(None, pl.Int64),
        tied=pl.lit(None, pl.Boolean),
    )
    return _columns(targets, UNKNOWN)


def _columns(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    return frame.select(
        "session_id",
        "position",
        "item_id",
        *RANK_OF_TIES.values(),
        "support",
        "repeat",
        "time",
        pl.col("time").dt.hour().alias("hour"),
        pl.lit(source, pl.String).alias("source"),
        "rank_shown",
        "tied",
    )
