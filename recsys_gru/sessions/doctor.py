"""The split doctor: what a split hides that a recall figure will not tell."""

from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
import polars as pl

from recsys_gru.clicks.frames import (
    EVENT,
    ITEM,
    SESSION,
    TIME,
    UTC_TIME,
    Frame,
    event_columns,
    lazy,
    require,
)
from recsys_gru.clicks.order import codes, sorted_rows
from recsys_gru.clicks.sessionize import LONG_SILENCE
from recsys_gru.errors import SchemaError
from recsys_gru.sessions.packed import Sessions

Part: TypeAlias = "Frame | Sessions"
_NEXT, _PREVIOUS = "next_item", "previous_time"
_FEW_TRANSITIONS = 1_000
_LAST_DAYS = 10  # shown in print
# figure, the value above which it worries, what it means and what to do
_WORRIES = (
    (
        "time_overlap",
        0,
        "{:,.0f} training events are not older than the first test event: the model learns from the future. "
        "Cut by time (split_by_time)",
    ),
    (
        "straddling_sessions",
        0,
        "{:,.0f} sessions are in both parts: the model has seen the beginning of what it is tested on. "
        "Take test sessions that start after the cut",
    ),
    (
        "unknown_share",
        0.2,
        "{:.0%} of the test clicks are on items that training never saw; no model can recommend them. "
        "Retrain more often, lower min_support, or report them (unknown='miss')",
    ),
    (
        "repeat_rate",
        0.3,
        "{:.0%} of the test steps stay on the same item: repeating the last click already scores well. "
        "Think of collapse_repeats",
    ),
    (
        "collision_rate",
        0.2,
        "{:.0%} of the test clicks share their time with another of the session, so their order is that of "
        "the rows, which may be none. Log finer times, or name a column that tells the order (order=)",
    ),
    (
        "long_silences",
        0,
        "{:,.0f} sessions are silent for more than "
        f"{LONG_SILENCE.total_seconds() / 3600:g} hours between two clicks: ids are used again, as those "
        "that begin anew every day, or the clock jumped. Cut them: "
        'sessionize(clicks, user="session_id", gap=...)',
    ),
)


@dataclass(frozen=True)
class Diagnosis:
    """What the split doctor saw; shares lie between 0 and 1.

    Attributes:
        train_events: events to learn from.
        test_events: events of the test part.
        test_transitions: pairs of clicks that follow each other at test: what can be predicted.
        time_overlap: training events that are not older than the first test event.
        straddling_sessions: sessions in both parts.
        unknown_share: share of test events on items that training never saw.
        repeat_rate: share of test transitions from an item to itself.
        collision_rate: share of test events at the same time as another of their session: their order is a
            guess.
        seen_transition_share: share of the different test transitions that training has seen.
        new_transition_share: share of a day's different transitions that no earlier day had, mean over
            training days.
        long_silences: sessions of either part with more than six hours between two clicks: ids used again,
            or clock jumps.
        tied_share: share of test transitions between clicks of one time.
        per_day: day, different transitions of the training part on it, how many of them are new, their share.
        warnings: what to worry about, in words.
    """

    train_events: int
    test_events: int
    test_transitions: int
    time_overlap: int
    straddling_sessions: int
    unknown_share: float
    repeat_rate: float
    collision_rate: float
    seen_transition_share: float
    new_transition_share: float
    long_silences: int
    tied_share: float
    per_day: pl.DataFrame
    warnings: tuple[str, ...] = ()

    def figures(self) -> dict[str, float]:
        """All numbers by name, for a log of runs."""
        return {name: float(value) for name, value in self._numbers().items()}

    def _numbers(self) -> dict[str, float]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("per_day", "warnings")}

    def __str__(self) -> str:
        texts = {
            name: f"{value:,}" if isinstance(value, int) else f"{value:.1%}"
            for name, value in self._numbers().items()
        }
        lines = [f"{name.replace('_', ' '):<24}{text:>14}" for name, text in texts.items()]
        days = [
            f"{day}{transitions:>20,}{new:>12,}{share:>12.1%}"
            for day, transitions, new, share in self.per_day.tail(_LAST_DAYS).iter_rows()
        ]
        head = f"{'training day':<14}{'transitions':>16}{'new':>12}{'share':>12}"
        lines += [head, *days] if days else []
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


def diagnose_split(train: Part, test: Part) -> Diagnosis:
    """Look at a split for leaks and for reasons why its figures may mislead.

    Packed sessions are looked at by item number, which takes a fraction of the memory that frames take.

    Raises:
        SchemaError: a column is missing, or only one part is packed.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9], "time": [0, 1, 2, 3]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> diagnose_split(log.head(2), log.tail(2)).unknown_share
    0.5
    """
    if isinstance(train, Sessions) and isinstance(test, Sessions):
        owners = train.ids.to_frame(SESSION), test.ids.to_frame(SESSION)
        before, after = _steps(_packed(train, train)), _steps(_packed(test, train))
    elif isinstance(train, Sessions) or isinstance(test, Sessions):
        raise SchemaError("expected both parts packed or both as frames. What to do: take events()")
    else:
        before, after = (_steps(_ordered(part)) for part in (train, test))
        owners = before.select(SESSION).unique(), after.select(SESSION).unique()
    pairs, tested = (part.drop_nulls(_NEXT).select(ITEM, _NEXT).unique() for part in (before, after))
    moves, known = after.drop_nulls(_NEXT), before.select(ITEM).unique()
    first_test = after.select(pl.col(TIME).min()).item()
    per_day = _new_per_day(before)
    shares = per_day["new_share"].slice(1)  # everything is new on the first day
    figures = Diagnosis(
        train_events=before.height,
        test_events=after.height,
        test_transitions=moves.height,
        time_overlap=before.filter(pl.col(TIME) >= first_test).height if first_test is not None else 0,
        straddling_sessions=owners[0].join(owners[1], on=SESSION, how="semi").height,
        unknown_share=_share(after.join(known, on=ITEM, how="anti").height, after.height),
        repeat_rate=_share(moves.filter(pl.col(ITEM) == pl.col(_NEXT)).height, moves.height),
        collision_rate=_share(after.filter(pl.len().over(SESSION, TIME) > 1).height, after.height),
        seen_transition_share=_share(tested.join(pairs, on=[ITEM, _NEXT], how="semi").height, tested.height),
        new_transition_share=float(shares.sum()) / len(shares) if len(shares) else 0.0,
        long_silences=sum(_long_silences(part) for part in (before, after)),
        tied_share=_share(after.filter(pl.col(TIME) == pl.col(_PREVIOUS)).height, moves.height),
        per_day=per_day,
    )
    return replace(figures, warnings=tuple(_warnings(figures)))


def _ordered(part: Frame) -> pl.DataFrame:
    log = lazy(part)
    require(log, *EVENT)
    return sorted_rows(log.select(event_columns(log)).collect(), SESSION).select(SESSION, TIME, ITEM)


def _packed(part: Sessions, train: Sessions) -> pl.DataFrame:
    """Events with numbers in the place of ids: items as in training, unknown ones behind."""
    times = pl.Series(TIME, part.times).cast(UTC_TIME)
    if part.unknown.is_empty() and (part is train or part.vocabulary == train.vocabulary):
        session = np.repeat(np.arange(part.n_sessions, dtype=np.int32), part.lengths)
        return pl.DataFrame({SESSION: session, ITEM: pl.Series(part.items), TIME: times})
    events = part.events()
    numbers = train.vocabulary.found(events[ITEM])
    behind, _ = codes(events[ITEM])
    items = np.where(numbers >= 0, numbers, len(train.vocabulary) + behind).astype(np.int32)
    return events.with_columns(pl.Series(ITEM, items))


def _steps(events: pl.DataFrame) -> pl.DataFrame:
    """Events in order with the item that follows in the session, null at its end, and the time before."""
    goes_on = pl.col(SESSION) == pl.col(SESSION).shift(-1)
    went_on = pl.col(SESSION) == pl.col(SESSION).shift()
    return events.with_columns(
        pl.when(goes_on).then(pl.col(ITEM).shift(-1)).alias(_NEXT),
        pl.when(went_on).then(pl.col(TIME).shift()).alias(_PREVIOUS),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _new_per_day(steps: pl.DataFrame) -> pl.DataFrame:
    daily = steps.drop_nulls(_NEXT).select(pl.col(TIME).dt.date().alias("day"), ITEM, _NEXT).unique()
    firsts = daily.group_by(ITEM, _NEXT).agg(pl.col("day").min()).group_by("day").agg(pl.len().alias("new"))
    table = daily.group_by("day").agg(pl.len().alias("transitions")).join(firsts, on="day", how="left")
    new = pl.col("new").fill_null(0)
    return table.with_columns(new, new_share=new / pl.col("transitions")).sort("day")


def _long_silences(steps: pl.DataFrame) -> int:
    return steps.filter(pl.col(TIME) - pl.col(_PREVIOUS) > LONG_SILENCE)[SESSION].n_unique()


def _warnings(found: Diagnosis) -> list[str]:
    figures = found.figures()
    texts = [text.format(figures[name]) for name, limit, text in _WORRIES if figures[name] > limit]
    if found.test_transitions < _FEW_TRANSITIONS:
        texts.append(
            f"there are only {found.test_transitions:,} steps to predict, so figures of two models differ by "
            "chance. Take a longer test part"
        )
    return texts
