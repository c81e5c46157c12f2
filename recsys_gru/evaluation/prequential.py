"""Test, then learn, period by period: what a model is worth that goes on learning while it is used."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import final

import polars as pl

from recsys_gru.arguments import choice, flag, shown, whole_number
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation.bar import bar
from recsys_gru.evaluation.foretold import Foretold, foretell
from recsys_gru.evaluation.ledger import RANK_OF_TIES, whole_cutoffs
from recsys_gru.evaluation.metrics import mean_gain
from recsys_gru.evaluation.replay import Ties, UnknownRule
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.views import MODEL, POPULARITY, doubts, known_clicks
from recsys_gru.forked import need_threads
from recsys_gru.observers import Followed, announce, unheard
from recsys_gru.ranking import PREFIXES, ItemFilter, Scorer, context_of, vocabulary_of
from recsys_gru.sessions import SessionData, Sessions, Stretches, as_sessions, microseconds, moment_of


@final
@dataclass(frozen=True, eq=False, repr=False)
class Prequential(Report):
    """A Report of all clicks of a stream, each foretold at the beginning of its period, and the periods.

    Attributes:
        periods: one row per period that has a click: start (UTC), events (clicks that the figures are of),
            unknown (clicks on items not known at its beginning), recall_at_K and mrr_at_K (null without an
            event), seconds (that learning it took), items (in the catalogue at its beginning).
        every: the length of a period.
        learn: whether the model learned each period after it was foretold.
    """

    periods: pl.DataFrame = field(default_factory=pl.DataFrame)
    every: timedelta = timedelta(hours=1)
    learn: bool = True


@dataclass(frozen=True)
class _Rules:
    cutoffs: tuple[int, ...]
    unknown: UnknownRule
    ties: Ties
    up_to: int | None

    def counted(self, ledger: pl.DataFrame) -> pl.DataFrame:
        return known_clicks(ledger) if self.unknown == "drop" else ledger

    def figures(self, ledger: pl.DataFrame) -> dict[str, dict[int, float]]:
        ranks = self.counted(ledger)[RANK_OF_TIES[self.ties]].to_numpy()
        return {gain: {k: mean_gain(gain, ranks, k) for k in self.cutoffs} for gain in ("recall", "mrr")}


def prequential(
    model: Scorer,
    clicks: SessionData,
    every: timedelta = timedelta(hours=1),
    start: datetime | None = None,
    learn: bool = True,
    cutoffs: Sequence[int] = (20,),
    unknown: UnknownRule = "miss",
    *,
    ties: Ties = "conservative",
    up_to: int | None = None,
    progress: bool = False,
) -> Prequential:
    """Foretell each click by the model as it was at the beginning of its period, then learn the period.

    All earlier clicks of a session, those of earlier periods too, are context. The model itself learns, and
    is another one afterwards; one without ``partial_fit`` is fitted anew on all clicks so far.

    Args:
        model: a fitted recommender.
        clicks: a log; what lies before ``start`` is context only.
        every: length of a period.
        start: where the first period begins (UTC where it names no zone); right after what the model has
            learned if not given.
        learn: whether to learn; else the model stays as it is.
        cutoffs: list lengths k of recall@k and MRR@k.
        unknown: ``miss`` counts clicks on items that are unknown at the beginning of their period as misses,
            ``drop`` leaves them out.
        ties: as in ``evaluate``.
        up_to: tell ranks up to this one and call deeper ones infinite, with the same figures: that is what
            lists tell, in less time where the catalogue is large. Not with median ties.
        progress: whether to draw a progress bar, on terminals only.

    Raises:
        ClickLogError: if no click lies at or after ``start``, or some of them were learned already.
        ParameterError: if an argument is not one of those above.

    Source: Gama, Sebastião & Rodrigues 2013, "On evaluating stream learning algorithms".

    >>> import recsys_gru as rg
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, _ = rg.split_by_time(log, test=timedelta(days=2))
    >>> report = prequential(rg.Popularity().fit(train), log, every=timedelta(days=1))
    >>> report.periods.height, report.events == report.periods["events"].sum()
    (3, True)
    """
    whole = whole_cutoffs(cutoffs)
    rules = _Rules(whole, unknown, ties, _depth(up_to, whole, ties))
    choice("unknown", unknown, ("drop", "miss"))
    choice("ties", ties, RANK_OF_TIES)
    learn = flag("learn", learn)
    need_threads("evaluate")
    begin, before = _begin(model, start), getattr(model, "span_", None)
    log = as_sessions(clicks, ids_like=vocabulary_of(model), context=context_of(model))
    stretches = Stretches(_whole(log), begin, _length(every))
    if not len(stretches):
        raise ClickLogError(
            f"expected clicks from {moment_of(begin):%Y-%m-%d %H:%M} UTC on, got none: give a later log, or "
            "an earlier start"
        )
    told: list[Foretold] = []
    periods: list[dict[str, object]] = []
    with bar("periods", len(stretches), draw=progress) as done, unheard():
        for moment, events in stretches:
            foretold, facts = _foretell(model, events, moment, rules)
            seconds = _learn(model, events, moment, stretches, every) if learn else 0.0
            told.append(foretold)
            periods.append(facts | {"seconds": seconds, "items": facts.pop("items")})
            done(1)
    report = _report(told, periods, rules, before)
    report = replace(report, every=every, learn=learn)
    announce(Followed(model, report))
    return report


def _begin(model: Scorer, start: datetime | None) -> int:
    if start is not None:
        return microseconds(start)
    learned = getattr(model, "span_", None)
    if learned is None:
        raise ParameterError(
            "expected start, as nothing says until when this model has learned: give a moment"
        )
    return int(learned[1]) + 1


def _depth(up_to: int | None, cutoffs: tuple[int, ...], ties: Ties) -> int | None:
    if up_to is None:
        return None
    if ties == "median":
        raise ParameterError(
            "expected no up_to with median ties, as lists do not tell how many tie: give one"
        )
    return whole_number("up_to", up_to, max(cutoffs))


def _length(every: object) -> int:
    if not isinstance(every, timedelta) or every <= timedelta():
        raise ParameterError(f"expected every as a length of time, got {shown(every)}: timedelta(hours=1)")
    return every // timedelta(microseconds=1)


def _whole(sessions: Sessions) -> Sessions:
    """Sessions that number all of their own items."""
    return sessions if sessions.unknown.is_empty() else sessions.numbered_by(None)


def _foretell(
    model: Scorer, events: pl.DataFrame, moment: datetime, rules: _Rules
) -> tuple[Foretold, dict[str, object]]:
    vocabulary = vocabulary_of(model)
    sessions = Sessions.packed(events, vocabulary).from_moment(moment)
    foretold = foretell(model, sessions, ItemFilter().bind(sessions), PREFIXES, up_to=rules.up_to)
    counted = rules.counted(foretold.ledger)
    figures = rules.figures(foretold.ledger) if counted.height else {}
    named = {
        f"{gain}_at_{k}": figures[gain][k] if figures else None
        for gain in ("recall", "mrr")
        for k in rules.cutoffs
    }
    facts: dict[str, object] = {
        "start": moment,
        "events": counted.height,
        "unknown": foretold.unknown,
        **named,
    }
    return foretold, facts | {"items": len(vocabulary)}


def _learn(
    model: Scorer, events: pl.DataFrame, moment: datetime, stretches: Stretches, every: timedelta
) -> float:
    """Learn the clicks of a period; returns the seconds it took."""
    began = time.perf_counter()
    if hasattr(model, "partial_fit"):
        model.partial_fit(Sessions.packed(events), since=moment)
    else:
        model.fit(Sessions.packed(stretches.until(moment + every)))  # type: ignore[attr-defined]
    return time.perf_counter() - began


def _report(
    told: list[Foretold], periods: list[dict[str, object]], rules: _Rules, learned: tuple[int, int] | None
) -> Prequential:
    replay = pl.concat([foretold.ledger for foretold in told], how="vertical_relaxed")
    ledger = rules.counted(replay)
    if ledger.is_empty():
        raise ClickLogError(
            "expected a click that something goes before, got none from the start on: give a longer log"
        )
    barred = (MODEL, POPULARITY) if rules.unknown == "miss" else (MODEL,)
    figures = rules.figures(replay)
    return Prequential(
        recall=figures["recall"],
        mrr=figures["mrr"],
        events=ledger.height,
        sessions=ledger["session_id"].n_unique(),
        unknown=sum(foretold.unknown for foretold in told),
        excluded=sum(foretold.barred[source] for foretold in told for source in barred),
        ties=rules.ties,
        unknown_rule=rules.unknown,
        ranks=ledger,
        replay=replay,
        warnings=doubts(replay, learned),
        periods=pl.DataFrame(periods, infer_schema_length=None),
    )
