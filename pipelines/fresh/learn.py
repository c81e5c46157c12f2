"""A period's clicks are foretold by the models as they are, then learned once."""

import hashlib
import time
from datetime import datetime
from typing import TYPE_CHECKING

from recsys_gru import engines

from ..plumbing.periods import Period
from ..plumbing.settings import Settings
from ..plumbing.workshop import Facts
from .stream import Stream
from .take import clicks_of, take_in, taken

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender


def learn(stream: Stream, period: Period, settings: Settings) -> "tuple[pl.DataFrame, pl.DataFrame]":
    """Take a period's clicks in, foretell them, learn them.

    Returns:
        The clicks with their context; and those of the sessions that were foretold.
    """
    counts = take_in(period, settings)
    events = clicks_of(period, settings)
    since = max(period.start, stream.until)
    new = _between(events, since, period.end)
    asked = asked_of(events, period, len(stream.frozen.vocabulary_), settings)
    models = (stream.model, stream.frozen)
    foretold, nightly = engines.on_threads(lambda model: figures(model, asked, period, settings), models)
    began = time.monotonic()
    if new.height:
        _learn(stream.model, events, since, settings)
    row = {"period": period.name, "start": period.start.isoformat(), "base": stream.base, **counts}
    came = _between(taken(period, settings), since, period.end)
    row |= {"taken": came.height, "taken_digest": digest_of(came)}
    row |= {"learned": new.height, "learned_digest": digest_of(new), "items": len(stream.model.vocabulary_)}
    youngest = new["time"].max()
    row["youngest"] = youngest.isoformat() if isinstance(youngest, datetime) else None
    row |= {**foretold, **{f"nightly_{name}": value for name, value in nightly.items()}}
    stream.pending.append(row | {"seconds": time.monotonic() - began})
    stream.until = period.end
    return events, asked


def asked_of(events: "pl.DataFrame", period: Period, items: int, settings: Settings) -> "pl.DataFrame":
    """The clicks of the sessions that are foretold: all, or where that were too many scores an even share.

    Foretelling costs clicks times items, learning only clicks: with a large catalogue fewer sessions are
    asked, evenly spread by their beginnings, and never fewer clicks than the guard needs.
    """
    import polars as pl

    fresh = settings.fresh
    clicks = events.filter(pl.col("time") >= period.start).height
    most = max(fresh.max_scores // max(items, 1), 2 * fresh.min_events)
    if clicks <= most:
        return events
    sessions = events.group_by("session_id").agg(pl.col("time").min()).sort("time", "session_id")
    return events.join(sessions.gather_every(-(-clicks // most)), on="session_id", how="semi")


def figures(model: "Recommender", events: "pl.DataFrame", period: Period, settings: Settings) -> Facts:
    """How well a model foretells a period's clicks as it is."""
    import recsys_gru

    k = settings.gate.k
    none: Facts = {"events": 0, "unknown": 0, "recall": None, "mrr": None}
    if events.is_empty():
        return none
    try:
        told = recsys_gru.prequential(
            model, events, period.every, period.start, learn=False, cutoffs=(k,), up_to=k
        )
    except recsys_gru.errors.ClickLogError:  # no click, or none that another one goes before
        return none
    return {"events": told.events, "unknown": told.unknown, "recall": told.recall[k], "mrr": told.mrr[k]}


def digest_of(clicks: "pl.DataFrame") -> str:
    """A fingerprint of which items were clicked when; sessions are named anew by the store."""
    import polars as pl

    rows = clicks.select("time", pl.col("item_id").cast(pl.String)).sort("time", "item_id")
    return hashlib.sha256(rows.write_csv().encode()).hexdigest()[:16]


def _between(clicks: "pl.DataFrame", since: datetime, end: datetime) -> "pl.DataFrame":
    import polars as pl

    return clicks.filter(pl.col("time").is_between(since, end, closed="left"))


def _learn(model: "Recommender", events: "pl.DataFrame", since: datetime, settings: Settings) -> None:
    """Learn each click from a moment on; those before are context."""
    import recsys_gru

    if isinstance(model, recsys_gru.GRU4Rec | recsys_gru.Blend):
        model.partial_fit(events, since=since, n_epochs=settings.fresh.epochs)
    else:
        model.partial_fit(events, since=since)  # type: ignore[attr-defined]
