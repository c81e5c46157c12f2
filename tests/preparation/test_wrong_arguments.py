"""What is impossible or of the wrong kind is refused in words, from a made-up log to a prepared folder."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.clicks.generate import planted_law
from recsys_gru.errors import InputError
from recsys_gru.exploration.profile import profile_clicks
from recsys_gru.preparation import ClickStore

HERE: Any = rg  # wrong on purpose: the types would refuse most of it
STORE: Any = ClickStore
LAW: Any = planted_law
PROFILE: Any = profile_clicks
LOG = rg.generate_clicks(60, 12, days=4, seed=1)
NAN = float("nan")
NO_COUNT: tuple[object, ...] = (
    "5",
    0,
    -1,
    2.5,
    True,
    None,
    [5],
    NAN,
    float("inf"),
    timedelta(days=1),
    2**80,
    np.float64("nan"),
)
NO_SEED = ("5", -1, 2.5, True, None, [5], NAN)
NO_SPAN = (
    "1 day", 7, 1.5, 0, -1, NAN, True, [7], date(2026, 1, 1), np.int64(7), np.timedelta64("NaT"),
    timedelta(0), timedelta(days=-1), timedelta.max,
)  # fmt: skip
NO_MOMENT = ("2026-01-02", 1767225600, NAN, True, None, date(2026, 1, 2), timedelta(days=1))
NO_FLAG: tuple[object, ...] = ("false", 2, None, [])
NO_FRAME = (5, None, "nowhere", [1], LOG.drop("item_id"), object())
NO_EVENTS = (*NO_FRAME, LOG.with_columns(pl.col("time").dt.epoch("s")), LOG.cast({"time": pl.String}))
NO_LEDGER: tuple[object, ...] = (5, "ledger", [], HERE.Ledger)
NO_WORD: tuple[object, ...] = (5, [], True, "nowhere")
NO_IDS: tuple[object, ...] = (5, [], "no", {"a": "text"}, {"item_id": []})
DAY, ALSO_NONE = timedelta(days=1), (None,)


def _read(name: str, value: object) -> object:
    return HERE.read_clicks(LOG, **{name: value})


TABLE: dict[str, tuple[Callable[[Any], object], tuple[object, ...]]] = {
    "generate n_sessions": (lambda v: HERE.generate_clicks(v, 12), NO_COUNT),
    "generate n_items": (lambda v: HERE.generate_clicks(9, v), NO_COUNT),
    "generate days": (lambda v: HERE.generate_clicks(9, 12, v), (*NO_COUNT, 10**9)),
    "generate seed": (lambda v: HERE.generate_clicks(9, 12, seed=v), NO_SEED),
    "generate mean_length": (lambda v: HERE.generate_clicks(9, 12, mean_length=v), (0.5, "5", -1, NAN, True)),
    "generate part": (lambda v: HERE.generate_clicks(9, 12, part=v), NO_SEED),
    "generate text_ids": (lambda v: HERE.generate_clicks(9, 12, text_ids=v), NO_FLAG),
    "law tastes": (lambda v: LAW(12, tastes=v), NO_COUNT),
    "law slots": (lambda v: LAW(12, slots=v), NO_COUNT),
    "law follow": (lambda v: LAW(12, follow=v), (-0.1, 1.1, "1", NAN, None, True)),
    "split_by_time test": (lambda v: HERE.split_by_time(LOG, v), (*NO_SPAN, *ALSO_NONE)),
    "split_by_time events": (lambda v: HERE.split_by_time(v, DAY), NO_EVENTS),
    "split_by_time ledger": (lambda v: HERE.split_by_time(LOG, DAY, v), NO_LEDGER),
    "split_at cut": (lambda v: HERE.split_at(LOG, v), NO_MOMENT),
    "split_at events": (lambda v: HERE.split_at(v, datetime(2026, 1, 2)), NO_EVENTS),
    "split_at ledger": (lambda v: HERE.split_at(LOG, datetime(2026, 1, 2), v), NO_LEDGER),
    "split_three test": (lambda v: HERE.split_three(LOG, v, DAY), (*NO_SPAN, *ALSO_NONE)),
    "split_three validation": (lambda v: HERE.split_three(LOG, DAY, v), (*NO_SPAN, *ALSO_NONE)),
    "split_rolling test": (lambda v: HERE.split_rolling(LOG, v, 2), (*NO_SPAN, *ALSO_NONE)),
    "split_rolling folds": (lambda v: HERE.split_rolling(LOG, DAY, v), NO_COUNT),
    "split_rolling train": (lambda v: HERE.split_rolling(LOG, DAY, 2, v), NO_SPAN),
    "tail_cut share": (lambda v: HERE.tail_cut(LOG, v), (0, 1, -0.1, "half", NAN, None, True)),
    "tail_cut events": (HERE.tail_cut, NO_EVENTS),
    "filter_sessions min_support": (lambda v: HERE.filter_sessions(LOG, v), NO_COUNT),
    "filter_sessions min_length": (lambda v: HERE.filter_sessions(LOG, 1, v), NO_COUNT),
    "filter_sessions ledger": (lambda v: HERE.filter_sessions(LOG, 1, 1, v), NO_LEDGER),
    "filter_sessions train": (HERE.filter_sessions, NO_FRAME),
    "sessionize gap": (lambda v: HERE.sessionize(LOG, "session_id", v), (*NO_SPAN, *ALSO_NONE)),
    "sessionize user": (lambda v: HERE.sessionize(LOG, v), (5, None, "who", [], True)),
    "sessionize clicks": (lambda v: HERE.sessionize(v, "session_id"), NO_EVENTS),
    "collapse_repeats": (HERE.collapse_repeats, NO_FRAME),
    "check_clicks ledger": (lambda v: HERE.check_clicks(LOG, v), NO_LEDGER),
    "check_clicks clicks": (HERE.check_clicks, NO_FRAME),
    "Recipe gap": (lambda v: HERE.Recipe(gap=v), (*NO_SPAN, *ALSO_NONE)),
    "Recipe test": (lambda v: HERE.Recipe(test=v), NO_SPAN),
    "Recipe window": (lambda v: HERE.Recipe(window=v), NO_SPAN),
    "Recipe min_support": (lambda v: HERE.Recipe(min_support=v), NO_COUNT),
    "Recipe min_length": (lambda v: HERE.Recipe(min_length=v), NO_COUNT),
    "Recipe max_length": (lambda v: HERE.Recipe(max_length=v), tuple(v for v in NO_COUNT if v is not None)),
    "Recipe collapse": (lambda v: HERE.Recipe(collapse=v), NO_FLAG),
    **{
        f"read_clicks {name}": (partial(_read, name), NO_WORD)
        for name in ("session", "item", "time", "user", "order", "format", "time_unit", "time_zone")
    },
    "read_clicks ids": (lambda v: HERE.read_clicks(LOG, ids=v), NO_IDS),
    "recipe_of": (HERE.recipe_of, (5, None, [], "nowhere")),
    "Ledger.write": (HERE.Ledger().write, (5, None, "")),
    "Ledger.read": (HERE.Ledger.read, (5, None, "")),
    "as_sessions vocabulary": (lambda v: HERE.as_sessions(LOG, v), (5, "a", [1])),
    "prepare clicks": (lambda v: HERE.prepare(v, "made"), NO_FRAME),
    "prepare folder": (lambda v: HERE.prepare(LOG, v), (5, None, "", "a\0b", [])),
    "prepare recipe": (lambda v: HERE.prepare(LOG, "made", v), (5, "usual", {"min_support": 2}, HERE.Recipe)),
    "prepare rows_per_bucket": (lambda v: HERE.prepare(LOG, "made", rows_per_bucket=v), NO_COUNT[:-2]),
    "prepare on_progress": (lambda v: HERE.prepare(LOG, "made", on_progress=v), (5, "print")),
    "read_prepared folder": (HERE.read_prepared, (5, None, "", "nowhere")),
    "read_prepared verify": (lambda v: HERE.read_prepared("nowhere", verify=v), NO_FLAG),
    "read_sessions": (HERE.read_sessions, (5, None, "", "nowhere")),
    "write_sessions": (lambda v: HERE.write_sessions(HERE.as_sessions(LOG), v), (5, None, "")),
    "diagnose_split": (lambda v: HERE.diagnose_split(LOG, v), NO_FRAME),
    "describe gap": (lambda v: HERE.describe(LOG, "made", gap=v), (*NO_SPAN, *ALSO_NONE)),
    "describe folder": (lambda v: HERE.describe(LOG, v), (5, None, "")),
    "profile rows_per_part": (lambda v: PROFILE(LOG, rows_per_part=v), NO_COUNT[:-2]),
    "store folder": (STORE, (5, None, "")),
    "store gap": (lambda v: STORE(Path("made"), v), (*NO_SPAN, *ALSO_NONE)),
    "store silence": (lambda v: STORE(Path("made"), silence=v), (*NO_SPAN, *ALSO_NONE)),
    "store first": (lambda v: STORE(Path("made")).events(v), ("2026-01-01", 5, NAN, True)),
    "store add": (lambda v: STORE(Path("made")).add(v), NO_FRAME),
}
"""Name, use, and values that it must refuse."""
CASES = [
    pytest.param(use, value, id=f"{name}, {type(value).__name__} {number}")
    for name, (use, values) in TABLE.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("use", "value"), CASES)
def test_it_is_refused_in_words(
    use: Callable[[Any], object], value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as told:
        use(value)
    assert len(str(told.value)) > 20
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [np.int8(2), np.uint64(2), 2.0, np.float32(2)])
def test_numbers_and_spans_of_numpy_are_what_they_are(count: Any) -> None:  # noqa: ANN401 - of any library
    day = np.timedelta64(1, "D")
    assert HERE.generate_clicks(count, 12, count, count).equals(rg.generate_clicks(2, 12, 2, 2))
    expected = rg.filter_sessions(LOG, 2, 2)
    assert HERE.filter_sessions(LOG, count, count).equals(expected)
    assert HERE.split_by_time(LOG, day).cut == rg.split_by_time(LOG, DAY).cut
    assert HERE.Recipe(test=day, min_support=count) == rg.Recipe(test=DAY, min_support=2)
    assert len(list(HERE.split_rolling(LOG, day, count))) == 2


def test_a_moment_of_any_zone_is_that_moment() -> None:
    there = datetime(2026, 1, 3, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    for cut in (datetime(2026, 1, 3), there, pl.Series([there]).dt.convert_time_zone("Asia/Tokyo")[0]):
        assert rg.split_at(LOG, cut).cut == datetime(2026, 1, 3, tzinfo=UTC)
        assert rg.split_at(LOG, cut).test.lazy().collect().equals(rg.split_at(LOG, there).test)  # type: ignore[arg-type]


def test_a_span_longer_than_the_calendar_takes_all_of_it() -> None:
    century = timedelta(days=36_500)
    folds = list(rg.split_rolling(LOG, century, 100, century))
    assert [fold.train.lazy().collect().height for fold in folds] == [0] * 100
    assert folds[-1].test.lazy().collect().height == LOG.height
