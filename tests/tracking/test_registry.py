"""Registered models are checked, served as MLflow models, and found by alias."""

import re
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import polars as pl
import pytest

from recsys_gru import tracking
from recsys_gru.baselines import Popularity
from recsys_gru.contract import Bundle, load, read_bundle, write_bundle
from recsys_gru.errors import BundleError, InputError, TrackingError
from recsys_gru.tracking.registry import Registry, write_served
from recsys_gru.tracking.seals import seal_of
from tests.tracking.helpers import announce_evaluation, announce_fit, client_of, fitted, runs_of


def test_versions_aliases_tags_and_what_is_loaded_back(mlruns: Path) -> None:
    registry = Registry(mlruns, "shop")
    assert registry.version_of("champion") is None
    first = registry.register(fitted(), tags={"day": "2026-11-22"})
    assert (first, registry.version_of("challenger")) == (1, 1)
    registry.promote(first, "the first one")
    second = registry.register(fitted())
    assert registry.version_of("champion") == 1
    assert registry.version_of("challenger") == second == 2
    assert registry.tags(1) == {"model": "Popularity", "day": "2026-11-22", "gate": "the first one"}
    loaded = registry.load(second)
    assert loaded.recommend_one(["a"], k=3).equals(fitted().recommend_one(["a"], k=3))


def test_a_version_of_a_tracked_fit_belongs_to_its_run(mlruns: Path) -> None:
    with tracking.run(mlruns, name="fit") as tracker:
        model = announce_fit()
        run = tracker.run_of(model)
    Registry(mlruns, "shop").register(model, run=run)
    found = runs_of(mlruns)["Popularity"]
    version = client_of(mlruns).get_model_version_by_alias("shop", "challenger")
    assert version.run_id == found.info.run_id
    assert found.outputs is not None
    assert len(found.outputs.model_outputs) == 1


def test_a_saved_model_is_registered_with_the_run_that_fitted_it_not_that_which_measured_it(
    mlruns: Path, tmp_path: Path
) -> None:
    with tracking.run(mlruns, name="fit"):
        announce_fit().save(tmp_path / "model")
    with tracking.run(mlruns, name="evaluate"):
        announce_evaluation(Popularity.load(tmp_path / "model"))
    Registry(mlruns, "shop").register(Popularity.load(tmp_path / "model"))
    version = client_of(mlruns).get_model_version_by_alias("shop", "challenger")
    run = client_of(mlruns).get_run(str(version.run_id))
    assert run.data.tags["data.events"] == "15"
    assert run.data.tags["model.seal"] == seal_of(tmp_path / "model")


def test_a_model_that_no_run_kept_is_registered_without_one(mlruns: Path) -> None:
    Registry(mlruns, "shop").register(fitted())
    version = client_of(mlruns).get_model_version_by_alias("shop", "challenger")
    assert not version.run_id


def test_the_served_form_answers_as_the_model_does(tmp_path: Path) -> None:
    model = fitted()
    write_served(model, tmp_path / "served")
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    rows = pd.DataFrame({"items": [["a"], ["b", "zz"]], "deny": [["b"], None]})
    first, second = served.predict(rows, params={"k": 2})
    expected = model.recommend_one(["a"], k=2, deny=["b"])
    assert first == {
        "items": expected["item_id"].to_list(),
        "scores": expected["score"].to_list(),
        "source": "model",
    }
    assert second["items"] == model.recommend_one(["b", "zz"], k=2)["item_id"].to_list()
    with pytest.raises(InputError, match="items"):
        served.predict(pd.DataFrame({"items": [[1.5]]}))


def test_nothing_in_the_served_form_is_a_pickle(tmp_path: Path) -> None:
    write_served(fitted(), tmp_path / "served")
    names = [path.name for path in (tmp_path / "served").rglob("*")]
    assert "weights.safetensors" in names
    assert not [name for name in names if re.search(r"\.(pkl|pickle|pth?)$", name)]
    assert "__pycache__" not in names


def test_a_model_that_cannot_answer_is_not_registered(mlruns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(*_: object, **__: object) -> pl.DataFrame:
        raise ValueError("no answer")

    monkeypatch.setattr(Popularity, "recommend_one", empty)
    registry = Registry(mlruns, "broken")
    with pytest.raises(TrackingError, match="cannot be served"):
        registry.register(fitted())
    assert registry.version_of("challenger") is None


def test_a_version_that_is_not_there_is_a_clear_error(mlruns: Path) -> None:
    with pytest.raises(TrackingError, match="cannot read version 7 of shop"):
        Registry(mlruns, "shop").load(7)


@pytest.mark.parametrize("name", ["errors", "evaluate", "Recommender", "Sessions", "os", "__all__", ""])
def test_a_folder_that_names_no_model_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    fitted().save(tmp_path / "model")
    told = read_bundle(tmp_path / "model")
    bent = Bundle(name, told.parameters, told.weights, told.vocabulary, told.fingerprint)
    write_bundle(tmp_path / "bent", bent)
    with pytest.raises(BundleError):
        load(tmp_path / "bent")
