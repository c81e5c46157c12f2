"""A period's clicks are foretold by the models as they are, then learned once."""

import hashlib
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from ..plumbing.errors import BadInputError
from ..plumbing.periods import Period, midnight
from ..plumbing.settings import Settings
from ..plumbing.versions import Version, current
from ..plumbing.workshop import Facts
from ..stages.champion import day_of, registry_of, serving
from .take import clicks_of, take_in, taken

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender


@dataclass
class Stream:
    """The model that learns, and where it stands.

    Attributes:
        base: the champion's version from which it goes on.
        frozen: that champion, as it is.
        model: has learned every click from the champion's last one up to ``until``.
        rows: the ledger of what was published.
        pending: the ledger of what was learned since.
        good: the version that serves, if there is one: of another champion too.
    """

    base: int
    frozen: "Recommender"
    model: "Recommender"
    until: datetime
    rows: list[Facts]
    good: Version | None
    pending: list[Facts] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether nothing lies between the version that serves and this period's clicks."""
        return self.good is not None and self.good.base == self.base and not self.pending


def begin(settings: Settings) -> Stream:
    """The last fresh version, if it goes on from the present champion; else the champion.

    Raises:
        BadInputError: if no champion serves yet, or it cannot go on learning.
    """
    from recsys_gru import load

    base, good = serving(settings), current(settings)
    if base is None:
        raise BadInputError(
            f"expected a champion to go on from, none serves yet: {settings.command('nightly')} first"
        )
    frozen, rows = registry_of(settings).load(base), [] if good is None else good.ledger()
    if not hasattr(frozen, "partial_fit"):
        raise BadInputError(
            f"expected a champion that can go on learning, got {type(frozen).__name__} without partial_fit"
        )
    if good is not None and good.base == base:
        return Stream(base, frozen, load(good.model), good.until, rows, good)
    until = _end_of(frozen, day_of(settings, base))
    return Stream(base, frozen, registry_of(settings).load(base), until, rows, good)


def _end_of(champion: "Recommender", tested_on: date | None) -> datetime:
    """Until when a champion has learned: the midnight that begins the day it was tested on.

    What lies before that midnight and after its last click was left out on purpose, such as rare items.

    Raises:
        BadInputError: if nothing says so.
    """
    span = champion.span_
    if span is None:
        raise BadInputError("expected a champion that says until when it has learned, got one of before that")
    after = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=span[1] + 1)
    day = None if tested_on is None else midnight(tested_on)
    return after if day is None or day < after else day


def learn(stream: Stream, period: Period, settings: Settings) -> "pl.DataFrame":
    """Take a period's clicks in, foretell them, learn them; returns them, with their context."""
    counts = take_in(period, settings)
    events = clicks_of(period, settings)
    since = max(period.start, stream.until)
    new = _between(events, since, period.end)
    foretold, nightly = (figures(model, events, period, settings) for model in (stream.model, stream.frozen))
    began = time.monotonic()
    if new.height:
        _learn(stream.model, events, since, settings)
    row = {"period": period.name, "start": period.start.isoformat(), "base": stream.base, **counts}
    came = _between(taken(period, settings), since, period.end)
    row |= {"taken": came.height, "taken_digest": digest_of(came)}
    row |= {"learned": new.height, "learned_digest": digest_of(new), "items": len(stream.model.vocabulary_)}
    row |= {**foretold, **{f"nightly_{name}": value for name, value in nightly.items()}}
    stream.pending.append(row | {"seconds": time.monotonic() - began})
    stream.until = period.end
    return events


def figures(model: "Recommender", events: "pl.DataFrame", period: Period, settings: Settings) -> Facts:
    """How well a model foretells a period's clicks as it is."""
    import recsys_gru

    k = settings.gate.k
    none: Facts = {"events": 0, "unknown": 0, "recall": None, "mrr": None}
    if events.is_empty():
        return none
    try:
        told = recsys_gru.prequential(model, events, period.every, period.start, learn=False, cutoffs=(k,))
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

    if isinstance(model, recsys_gru.GRU4Rec):
        model.partial_fit(events, since=since, n_epochs=settings.fresh.epochs)
    else:
        model.partial_fit(events, since=since)  # type: ignore[attr-defined]
