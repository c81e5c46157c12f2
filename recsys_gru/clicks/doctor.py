"""The split doctor: what a split hides that a recall figure will not tell."""

from dataclasses import asdict, dataclass
from datetime import timedelta

import polars as pl

from recsys_gru.clicks.frames import EVENT_ORDER, ITEM, SESSION, TIME, Frame, lazy, require

_NEXT, _PREVIOUS = "next_item", "previous_time"
_FEW_TRANSITIONS = 1_000
_LONG_SILENCE = timedelta(days=1)
# figure, the value above which it worries, what it means and what to do
_WORRIES = (
    (
        "time_overlap",
        0,
        "{:,} training events are not older than the first test event: the model learns from the future. "
        "Cut by time (split_by_time)",
    ),
    (
        "straddling_sessions",
        0,
        "{:,} sessions are in both parts: the model has seen the beginning of what it is tested on. "
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
        "{:.0%} of the test clicks share their time with another of the session, so their order is by "
        "item id, not as it was. Log finer times",
    ),
    (
        "long_silences",
        0,
        "{:,} sessions are silent for more than a day between two clicks: the clock jumped or ids are "
        "used again. Cut them with sessionize(gap=...)",
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
        long_silences: sessions of either part with more than a day between two clicks: clock jumps, or ids
            used again.
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
    warnings: tuple[str, ...] = ()

    def figures(self) -> dict[str, float]:
        """All numbers by name, for a log of runs."""
        return {name: float(value) for name, value in asdict(self).items() if name != "warnings"}

    def __str__(self) -> str:
        values = {name: value for name, value in asdict(self).items() if name != "warnings"}
        texts = {
            name: f"{value:,}" if isinstance(value, int) else f"{value:.1%}" for name, value in values.items()
        }
        lines = [f"{name.replace('_', ' '):<24}{text:>14}" for name, text in texts.items()]
        return "\n".join([*lines, *(f"warning: {text}" for text in self.warnings)])


def diagnose_split(train: Frame, test: Frame) -> Diagnosis:
    """Look at a split for leaks and for reasons why its figures may mislead.

    Raises:
        SchemaError: a column is missing.

    >>> log = pl.DataFrame({"session_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 9], "time": [0, 1, 2, 3]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> diagnose_split(log.head(2), log.tail(2)).unknown_share
    0.5
    """
    before, after = (_steps(part) for part in (train, test))
    pairs, tested = (part.drop_nulls(_NEXT).select(ITEM, _NEXT).unique() for part in (before, after))
    moves = after.drop_nulls(_NEXT)
    first_test = after.select(pl.col(TIME).min()).item()
    figures = Diagnosis(
        train_events=before.height,
        test_events=after.height,
        test_transitions=moves.height,
        time_overlap=before.filter(pl.col(TIME) >= first_test).height if first_test is not None else 0,
        straddling_sessions=before.join(after, on=SESSION, how="semi")[SESSION].n_unique(),
        unknown_share=_share(after.join(before, on=ITEM, how="anti").height, after.height),
        repeat_rate=_share(moves.filter(pl.col(ITEM) == pl.col(_NEXT)).height, moves.height),
        collision_rate=_share(after.filter(pl.len().over(SESSION, TIME) > 1).height, after.height),
        seen_transition_share=_share(tested.join(pairs, on=[ITEM, _NEXT], how="semi").height, tested.height),
        new_transition_share=_new_per_day(before),
        long_silences=sum(_long_silences(part) for part in (before, after)),
    )
    return Diagnosis(**{**asdict(figures), "warnings": tuple(_warnings(figures))})


def _steps(part: Frame) -> pl.DataFrame:
    """Events with the item that follows in the session, null at its end, and the time before."""
    log = lazy(part)
    require(log, *EVENT_ORDER)
    following = pl.col(ITEM).shift(-1).over(SESSION).alias(_NEXT)
    return (
        log.sort(EVENT_ORDER)
        .with_columns(following, pl.col(TIME).shift().over(SESSION).alias(_PREVIOUS))
        .collect()
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _new_per_day(steps: pl.DataFrame) -> float:
    """The first day is left out: everything is new then."""
    daily = steps.drop_nulls(_NEXT).select(pl.col(TIME).dt.date().alias("day"), ITEM, _NEXT).unique()
    new = pl.col("day") == pl.col("day").min().over(ITEM, _NEXT)
    shares = daily.with_columns(new.alias("new")).group_by("day").agg(pl.col("new").mean()).sort("day")["new"]
    mean = shares.slice(1).mean()
    return float(mean) if isinstance(mean, float) else 0.0


def _long_silences(steps: pl.DataFrame) -> int:
    return steps.filter(pl.col(TIME) - pl.col(_PREVIOUS) > _LONG_SILENCE)[SESSION].n_unique()


def _warnings(found: Diagnosis) -> list[str]:
    figures = asdict(found)
    texts = [text.format(figures[name]) for name, limit, text in _WORRIES if figures[name] > limit]
    if found.test_transitions < _FEW_TRANSITIONS:
        texts.append(
            f"there are only {found.test_transitions:,} steps to predict, so figures of two models differ by "
            "chance. Take a longer test part"
        )
    return texts
