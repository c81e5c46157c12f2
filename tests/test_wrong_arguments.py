"""A wrong argument is answered by an error of the library that says what was expected, everywhere."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import RecsysError
from tests.contract.suite import log, named

HERE: Any = rg  # wrong on purpose: the types would refuse most of it
MODEL: Any = rg.Markov().fit(log())
REPORT = rg.evaluate(MODEL, log(20, seed=4, first=500))
RANKS = REPORT.ranks
OTHER_IDS = rg.evaluate(rg.Markov().fit(log(words=True)), named(log(20, seed=4, first=500))).ranks
NETWORK: Any = rg.GRU4Rec(layers=8, batch_size=8, n_sample=8, n_epochs=1, device="cpu").fit(log(9))

NO_COUNT: tuple[object, ...] = ("5", 0, -1, 2.5, True, None, [5], float("nan"), float("inf"))
NO_FLAG: tuple[object, ...] = ("false", "yes", 2, None, [])
NO_LIST = ("abc", 5, {"a": 1}, b"abc", [None], [[1]], [object()])
NO_LOG: tuple[object, ...] = (
    5,
    None,
    "nowhere.csv",
    Path("nowhere.parquet"),
    object(),
    pl.DataFrame({"a": [1]}),
    np.zeros((2, 2)),
    True,
)
TABLE: dict[str, tuple[Callable[[Any], object], tuple[object, ...]]] = {
    "recommend k": (lambda v: MODEL.recommend(log(3), k=v), NO_COUNT),
    "recommend exclude_seen": (lambda v: MODEL.recommend(log(3), exclude_seen=v), NO_FLAG),
    "recommend allow": (lambda v: MODEL.recommend(log(3), allow=v), NO_LIST),
    "recommend deny": (lambda v: MODEL.recommend(log(3), deny=v), NO_LIST),
    "recommend sessions": (MODEL.recommend, NO_LOG),
    "recommend_one items": (MODEL.recommend_one, (*NO_LIST, None)),
    "recommend_one k": (lambda v: MODEL.recommend_one([100], k=v), NO_COUNT),
    "recommend_one exclude_seen": (lambda v: MODEL.recommend_one([100], exclude_seen=v), NO_FLAG),
    "recommend_one allow": (lambda v: MODEL.recommend_one([100], allow=v), NO_LIST),
    "recommend_one deny": (lambda v: MODEL.recommend_one([100], deny=v), NO_LIST),
    "similar_items item": (MODEL.similar_items, ("abc", None, 1.5, [], 7, True)),
    "similar_items k": (lambda v: MODEL.similar_items(100, v), NO_COUNT),
    "describe sessions": (MODEL.describe, NO_LOG),
    "fit train": (HERE.Markov().fit, NO_LOG),
    "fit validation": (lambda v: HERE.Markov().fit(log(), v), tuple(v for v in NO_LOG if v is not None)),
    "fit checkpoint_every": (
        lambda v: NETWORK.fit(log(9), checkpoint_every=v),
        tuple(v for v in NO_COUNT if v is not None),
    ),
    "fit checkpoint_dir": (lambda v: NETWORK.fit(log(9), checkpoint_dir=v), (5, "", "a\0b", [])),
    "fit on_epoch": (lambda v: NETWORK.fit(log(9), on_epoch=v), (5, "print")),
    "fit progress": (lambda v: NETWORK.fit(log(9), progress=v), NO_FLAG),
    "partial_fit n_epochs": (
        lambda v: NETWORK.partial_fit(log(9), n_epochs=v),
        tuple(v for v in NO_COUNT if v is not None),
    ),
    "partial_fit keep_vanished": (lambda v: NETWORK.partial_fit(log(9), keep_vanished=v), NO_FLAG),
    "partial_fit newer": (NETWORK.partial_fit, NO_LOG),
    "load": (HERE.load, ("nowhere", 5, None, "")),
    "Model.load": (HERE.Markov.load, ("nowhere", 5, None, "")),
    "save": (MODEL.save, (5, None, "")),
    "save metadata": (lambda v: MODEL.save("never made", metadata=v), ({"a": object()}, 5, "a")),
    "save metrics": (
        lambda v: MODEL.save("never made", metrics=v),
        ({"a": float("nan")}, {"a": object()}, 5),
    ),
    "evaluate model": (lambda v: HERE.evaluate(v, log(9)), (5, None, "model", HERE.Markov, HERE.Markov())),
    "evaluate test": (lambda v: HERE.evaluate(MODEL, v), NO_LOG),
    "evaluate cutoffs": (
        lambda v: HERE.evaluate(MODEL, log(9), v),
        ((), [], ("a",), "abc", (0,), (-1,), (2.5,), None, {5: 1}, (None,), (float("nan"),), (True,), 0, -5),
    ),
    "evaluate ties": (lambda v: HERE.evaluate(MODEL, log(9), ties=v), ("fair", None, 5, [])),
    "evaluate unknown": (lambda v: HERE.evaluate(MODEL, log(9), unknown=v), ("keep", None, 5, [])),
    "evaluate rows": (lambda v: HERE.evaluate(MODEL, log(9), rows=v), NO_COUNT),
    "evaluate items": (lambda v: HERE.evaluate(MODEL, log(9), items=v), ([100], "abc", 5)),
    "recommendation_lists k": (lambda v: HERE.recommendation_lists(MODEL, log(9), k=v), NO_COUNT),
    "compare ledgers": (
        lambda v: HERE.compare(RANKS, v),
        (5, None, "a", REPORT, OTHER_IDS, RANKS.drop("time"), RANKS[:0]),
    ),
    "compare metrics": (lambda v: HERE.compare(RANKS, RANKS, v), ("recal", ["recal"], 5, None, [None], [[]])),
    "compare cutoffs": (lambda v: HERE.compare(RANKS, RANKS, cutoffs=v), ((), ("a",), "abc", (0,), None)),
    "compare ties": (lambda v: HERE.compare(RANKS, RANKS, ties=v), ("fair", None, 5)),
    "compare level": (lambda v: HERE.compare(RANKS, RANKS, level=v), (0, 1, 95, "a", None, float("nan"))),
    "compare resamples": (lambda v: HERE.compare(RANKS, RANKS, resamples=v), NO_COUNT),
    "compare seed": (lambda v: HERE.compare(RANKS, RANKS, seed=v), (-1, "a", None, 1.5)),
    "read_ranks": (HERE.read_ranks, ("nowhere", 5, None)),
    "ItemFilter allow": (lambda v: HERE.evaluate(MODEL, log(9), items=HERE.ItemFilter(allow=v)), NO_LIST),
    "ItemFilter deny": (lambda v: HERE.evaluate(MODEL, log(9), items=HERE.ItemFilter(deny=v)), NO_LIST),
    "ItemFilter at": (lambda v: HERE.ItemFilter(at=v), (5, "2026-01-01", datetime(2026, 1, 1))),
    "ItemFilter availability": (
        lambda v: HERE.ItemFilter(availability=v),
        (5, [], pl.DataFrame({"item_id": [1]})),
    ),
    "ItemFilter exclude_seen": (lambda v: HERE.ItemFilter(exclude_seen=v), NO_FLAG),
    "as_sessions": (HERE.as_sessions, NO_LOG),
}
"""Name, use, and values that it must refuse."""
CASES = [
    pytest.param(use, value, id=f"{name}, {type(value).__name__} {number}")  # no address: workers must agree
    for name, (use, values) in TABLE.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("use", "value"), CASES)
def test_it_is_refused_in_words(
    use: Callable[[Any], object], value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecsysError) as told:
        use(value)
    assert len(str(told.value)) > 20
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k", [np.int8(5), np.uint64(5), np.int64(5), 5.0, np.float32(5), np.array(5)])
def test_every_whole_number_is_one(k: Any) -> None:  # noqa: ANN401 - of any library
    assert MODEL.recommend(log(3), k=k).equals(MODEL.recommend(log(3), k=5))
    assert MODEL.recommend_one([100], k=k).equals(MODEL.recommend_one([100], k=5))
    assert rg.evaluate(MODEL, log(9), k).recall == rg.evaluate(MODEL, log(9), (5,)).recall
    assert rg.evaluate(MODEL, log(9), [k, 10, 5]).recall.keys() == {5, 10}
    assert NETWORK.recommend_one([100], k=k).height == 5


def test_a_list_that_can_be_read_once_is_read_once() -> None:
    once = rg.evaluate(MODEL, log(9), iter((5, 10)))  # type: ignore[arg-type]
    assert list(once.recall) == [5, 10]
    assert rg.compare(RANKS, RANKS, iter(["recall"]), iter([5])).table.height == 1  # type: ignore[arg-type]
    assert MODEL.recommend_one([100], deny=iter([101])).equals(MODEL.recommend_one([100], deny=[101]))
