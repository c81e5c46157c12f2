"""A name is a name: folders, tickets, data and runs may be called anything but nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.pyfunc import PyFuncModel, load_model

import recsys_gru as rg
from recsys_gru.errors import ParameterError
from recsys_gru.tracking.comparison import stored_ranks
from recsys_gru.tracking.delivery import Desk, store_at
from recsys_gru.tracking.registry import Registry, write_served
from recsys_gru.tracking.tuning import Search, search
from tests.contract.suite import log

HERE: Any = rg  # wrong on purpose
SEARCH: Any = Search
find: Any = search
ODD = [
    "run?1",
    "feature%2Flogin",
    "a#b",
    "o'neil",
    'say "x"',
    "50%",
    "a b",
    "ü",
    "[12]*",
    "back\\slash",
    "semi;colon&x=y",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name_keeps_its_runs_in_its_own_file(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    with rg.tracking.run(folder, name=name, data=name, ticket=name, description=name):
        model = rg.Markov().fit(log())
        rg.evaluate(model, log(20, seed=4, first=500))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "mlflow.db").stat().st_size > 0
    assert not list(folder.rglob("refused.jsonl"))
    assert not list((folder / "outbox").iterdir())
    assert stored_ranks(folder, "Markov").ranks.height > 0
    with rg.tracking.run(folder, name="again", ticket=name):
        pass
    desk = Desk(store_at(folder))
    runs = desk.client.search_runs([desk.experiment], max_results=100)
    called = sorted(str(run.info.run_name).partition(", 20")[0] for run in runs)
    assert called == sorted([f"Markov on {name}", name])  # one parent, gone on with


@pytest.mark.slow
def test_tickets_that_look_alike_in_a_query_are_two(tmp_path: Path) -> None:
    for ticket in ("o'neil", 'o"neil', "o_neil", "oXneil"):
        with rg.tracking.lasting_run(tmp_path / "mlruns", name=ticket, ticket=ticket) as run:
            run.log({"x": 1.0})
    client = MlflowClient(store_at(tmp_path / "mlruns").uri)
    assert len(client.search_runs([Desk(store_at(tmp_path / "mlruns")).experiment])) == 4


@pytest.mark.slow
def test_a_registry_in_a_folder_of_any_name_gives_its_model_back(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "a%2Fb?c#d'e", "shop")
    model = rg.Markov().fit(log())
    version = registry.register(model, tags={"day": 'it\'s "today"'})
    assert registry.find("day", 'it\'s "today"') == version
    assert registry.find("day", 'it_s "today"') is None
    assert registry.load(version).recommend_one([100]).equals(model.recommend_one([100]))


@pytest.mark.parametrize(
    "use",
    [
        lambda folder: HERE.tracking.run(folder, name="").__enter__(),
        lambda folder: HERE.tracking.run(folder, name="  ").__enter__(),
        lambda folder: HERE.tracking.run(folder, name=5).__enter__(),
        lambda folder: HERE.tracking.run(folder, name="x", ticket="").__enter__(),
        lambda folder: HERE.tracking.run(folder, name="x", data="").__enter__(),
        lambda folder: HERE.tracking.run(folder, name="x", experiment="").__enter__(),
        lambda _: HERE.tracking.run("", name="x").__enter__(),
        lambda _: HERE.tracking.run(5, name="x").__enter__(),
        lambda folder: HERE.tracking.lasting_run(folder, name="x", ticket="").__enter__(),
        lambda folder: Registry(folder, ""),
        lambda folder: Registry(folder, "a/b"),
        lambda folder: Registry(folder, "o'neil"),
        lambda folder: find(SEARCH("Markov"), log(), log(), where=folder),
        lambda folder: find(SEARCH("VSKNN", trials=0), log(), log(), where=folder),
        lambda folder: find(SEARCH("VSKNN", trials="5"), log(), log(), where=folder),
        lambda folder: find(SEARCH("VSKNN", study=""), log(), log(), where=folder),
        lambda folder: find(SEARCH("VSKN"), log(), log(), where=folder),
        lambda folder: find(SEARCH("VSKNN", {"neighbours": 3}), log(), log(), where=folder),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_made(
    use: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(ParameterError):
        use(tmp_path / "mlruns")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> PyFuncModel:
    path = tmp_path_factory.mktemp("served") / "model"
    write_served(rg.Markov().fit(log()), path)
    return load_model(str(path))


def answered(served: PyFuncModel, rows: list[dict[str, object]]) -> list[dict[str, Any]]:
    """The answer to each row."""
    found: Any = served.predict(pd.DataFrame(rows), params={"k": 3})
    return list(found)


ROWS: list[list[dict[str, object]]] = [
    [{"items": [100], "deny": [101]}, {"items": [100]}],
    [{"items": [100]}, {"items": [100], "allow": [103, 104]}],
    [{"items": [100], "deny": None}, {"items": [], "deny": []}],
    [{"items": [100], "deny": [7]}, {"items": [7]}],
    [{"items": ["100"], "deny": ["101"]}, {"items": [100.0]}],
    [{"items": [100], "deny": [2**63]}, {"items": [2**64]}],
]


@pytest.mark.slow
@pytest.mark.parametrize("rows", ROWS)
def test_each_row_of_a_batch_has_its_own_lists(rows: list[dict[str, object]], served: PyFuncModel) -> None:
    model = rg.Markov().fit(log())
    answers = answered(served, rows)
    for row, answer in zip(rows, answers, strict=True):
        alone = model.recommend_one(row["items"], 3, allow=row.get("allow"), deny=row.get("deny"))  # type: ignore[arg-type]
        assert answer["items"] == alone["item_id"].to_list()
        assert set(answer) == {"items", "scores", "source"}
    json.dumps(answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [{"items": "100"}, {"items": None}, {"items": ["abc"]}, {"items": [None]}, {"items": 5}, {"items": {}},
     {"items": [100], "allow": []}, {"items": [100], "allow": [7]}, {"items": [100], "deny": "101"},
     {"items": [100], "deny": ["x"]}, {"items": [100] * 2000}],
)  # fmt: skip
def test_a_row_that_cannot_be_answered_does_not_fail_the_others(
    bad: dict[str, object], served: PyFuncModel
) -> None:
    good, other = answered(served, [{"items": [100]}, bad])
    assert [good] == answered(served, [{"items": [100]}])
    assert (other["items"], other["scores"], other["source"]) == ([], [], "none")
    assert "expected" in other["error"]
