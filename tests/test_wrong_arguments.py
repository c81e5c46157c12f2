"""A wrong argument is answered by an error of the library that says what was expected, everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import RecsysError
from tests.contract.suite import log, named

HERE: Any = rg  # wrong on purpose: the types would refuse most of it


@cache
def model() -> Any:  # noqa: ANN401 - for wrong arguments; made when first asked for, not in each collection
    """A model."""
    return rg.Markov().fit(log())


@cache
def network() -> Any:  # noqa: ANN401
    """A network."""
    return rg.GRU4Rec(layers=8, batch_size=8, n_sample=8, n_epochs=1, device="cpu").fit(log(9))


@cache
def report() -> rg.Report:
    """How well the model does."""
    return rg.evaluate(model(), log(20, seed=4, first=500))


def ranks() -> pl.DataFrame:
    """Its ranks."""
    return report().ranks


def ranks_of_other_ids() -> pl.DataFrame:
    """Ranks on the same clicks whose items have names."""
    return rg.evaluate(rg.Markov().fit(log(words=True)), named(log(20, seed=4, first=500))).ranks


@dataclass(frozen=True)
class Late:
    """A value that is made when it is used."""

    make: Callable[[], object]


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
    "recommend k": (lambda v: model().recommend(log(3), k=v), NO_COUNT),
    "recommend exclude_seen": (lambda v: model().recommend(log(3), exclude_seen=v), NO_FLAG),
    "recommend allow": (lambda v: model().recommend(log(3), allow=v), NO_LIST),
    "recommend deny": (lambda v: model().recommend(log(3), deny=v), NO_LIST),
    "recommend sessions": (lambda v: model().recommend(v), NO_LOG),
    "recommend_one items": (lambda v: model().recommend_one(v), (*NO_LIST, None)),
    "recommend_one k": (lambda v: model().recommend_one([100], k=v), NO_COUNT),
    "recommend_one exclude_seen": (lambda v: model().recommend_one([100], exclude_seen=v), NO_FLAG),
    "recommend_one allow": (lambda v: model().recommend_one([100], allow=v), NO_LIST),
    "recommend_one deny": (lambda v: model().recommend_one([100], deny=v), NO_LIST),
    "similar_items item": (lambda v: model().similar_items(v), ("abc", None, 1.5, [], 7, True)),
    "similar_items k": (lambda v: model().similar_items(100, v), NO_COUNT),
    "describe sessions": (lambda v: model().describe(v), NO_LOG),
    "fit train": (HERE.Markov().fit, NO_LOG),
    "fit validation": (lambda v: HERE.Markov().fit(log(), v), tuple(v for v in NO_LOG if v is not None)),
    "fit checkpoint_every": (
        lambda v: network().fit(log(9), checkpoint_every=v),
        tuple(v for v in NO_COUNT if v is not None),
    ),
    "fit checkpoint_dir": (lambda v: network().fit(log(9), checkpoint_dir=v), (5, "", "a\0b", [])),
    "fit on_epoch": (lambda v: network().fit(log(9), on_epoch=v), (5, "print")),
    "fit progress": (lambda v: network().fit(log(9), progress=v), NO_FLAG),
    "partial_fit n_epochs": (
        lambda v: network().partial_fit(log(9), n_epochs=v),
        tuple(v for v in NO_COUNT if v is not None),
    ),
    "partial_fit keep_vanished": (lambda v: network().partial_fit(log(9), keep_vanished=v), NO_FLAG),
    "partial_fit newer": (lambda v: network().partial_fit(v), NO_LOG),
    "load": (HERE.load, ("nowhere", 5, None, "")),
    "Model.load": (HERE.Markov.load, ("nowhere", 5, None, "")),
    "save": (lambda v: model().save(v), (5, None, "")),
    "save metadata": (lambda v: model().save("never made", metadata=v), ({"a": object()}, 5, "a")),
    "save metrics": (
        lambda v: model().save("never made", metrics=v),
        ({"a": float("nan")}, {"a": object()}, 5),
    ),
    "evaluate model": (lambda v: HERE.evaluate(v, log(9)), (5, None, "model", HERE.Markov, HERE.Markov())),
    "evaluate test": (lambda v: HERE.evaluate(model(), v), NO_LOG),
    "evaluate cutoffs": (
        lambda v: HERE.evaluate(model(), log(9), v),
        ((), [], ("a",), "abc", (0,), (-1,), (2.5,), None, {5: 1}, (None,), (float("nan"),), (True,), 0, -5),
    ),
    "evaluate ties": (lambda v: HERE.evaluate(model(), log(9), ties=v), ("fair", None, 5, [])),
    "evaluate unknown": (lambda v: HERE.evaluate(model(), log(9), unknown=v), ("keep", None, 5, [])),
    "evaluate rows": (lambda v: HERE.evaluate(model(), log(9), rows=v), NO_COUNT),
    "evaluate items": (lambda v: HERE.evaluate(model(), log(9), items=v), ([100], "abc", 5)),
    "recommendation_lists k": (lambda v: HERE.recommendation_lists(model(), log(9), k=v), NO_COUNT),
    "compare ledgers": (
        lambda v: HERE.compare(ranks(), v),
        (
            5,
            None,
            "a",
            Late(report),
            Late(ranks_of_other_ids),
            Late(lambda: ranks().drop("time")),
            Late(lambda: ranks()[:0]),
        ),
    ),
    "compare metrics": (
        lambda v: HERE.compare(ranks(), ranks(), v),
        ("recal", ["recal"], 5, None, [None], [[]]),
    ),
    "compare cutoffs": (lambda v: HERE.compare(ranks(), ranks(), cutoffs=v), ((), ("a",), "abc", (0,), None)),
    "compare ties": (lambda v: HERE.compare(ranks(), ranks(), ties=v), ("fair", None, 5)),
    "compare level": (lambda v: HERE.compare(ranks(), ranks(), level=v), (0, 1, 95, "a", None, float("nan"))),
    "compare resamples": (lambda v: HERE.compare(ranks(), ranks(), resamples=v), NO_COUNT),
    "compare seed": (lambda v: HERE.compare(ranks(), ranks(), seed=v), (-1, "a", None, 1.5)),
    "read_ranks": (HERE.read_ranks, ("nowhere", 5, None)),
    "ItemFilter allow": (lambda v: HERE.evaluate(model(), log(9), items=HERE.ItemFilter(allow=v)), NO_LIST),
    "ItemFilter deny": (lambda v: HERE.evaluate(model(), log(9), items=HERE.ItemFilter(deny=v)), NO_LIST),
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
    given = value.make() if isinstance(value, Late) else value
    with pytest.raises(RecsysError) as told:
        use(given)
    assert len(str(told.value)) > 20
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k", [np.int8(5), np.uint64(5), np.int64(5), 5.0, np.float32(5), np.array(5)])
def test_every_whole_number_is_one(k: Any) -> None:  # noqa: ANN401 - of any library
    assert model().recommend(log(3), k=k).equals(model().recommend(log(3), k=5))
    assert model().recommend_one([100], k=k).equals(model().recommend_one([100], k=5))
    assert rg.evaluate(model(), log(9), k).recall == rg.evaluate(model(), log(9), (5,)).recall
    assert rg.evaluate(model(), log(9), [k, 10, 5]).recall.keys() == {5, 10}
    assert network().recommend_one([100], k=k).height == 5


def test_a_list_that_can_be_read_once_is_read_once() -> None:
    once = rg.evaluate(model(), log(9), iter((5, 10)))  # type: ignore[arg-type]
    assert list(once.recall) == [5, 10]
    assert rg.compare(ranks(), ranks(), iter(["recall"]), iter([5])).table.height == 1  # type: ignore[arg-type]
    assert model().recommend_one([100], deny=iter([101])).equals(model().recommend_one([100], deny=[101]))
