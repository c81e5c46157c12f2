"""Old runs go with their files; what is in use, and what it came from, stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from recsys_gru import tracking
from recsys_gru.baselines import Popularity
from recsys_gru.tracking.registry import Registry
from recsys_gru.tracking.retention import find_old, remove
from tests.tracking.helpers import announce_fit, client_of, runs_of

LATER = datetime.now(UTC) + timedelta(days=40)
MONTH = timedelta(days=30)


def test_young_runs_stay(mlruns: Path) -> None:
    with tracking.run(mlruns, name="young"):
        announce_fit(epochs=1)
    assert find_old(mlruns, MONTH) == []
    names = [run.name.partition(" on ")[0] for run in find_old(mlruns, MONTH, now=LATER)]
    assert names == ["young", "Popularity"]


def test_the_champion_and_the_run_above_it_stay_and_the_rest_goes_with_its_files(mlruns: Path) -> None:
    registry = Registry(mlruns, "shop")
    with tracking.run(mlruns, name="old"):
        announce_fit(epochs=1)
    with tracking.run(mlruns, name="of the champion") as tracker:
        model = announce_fit(epochs=1)
        run, rival = tracker.run_of(model), tracker.run_of(announce_fit(epochs=1))
        run.log(tags={"mlflow.runName": "champion"})
        rival.log(tags={"mlflow.runName": "rival"})
    registry.promote(registry.register(model, run=run, alias=None), "best")
    replaced = registry.register(model, run=rival, alias=None)
    old = find_old(mlruns, MONTH, now=LATER)
    assert sorted(run.name.partition(" on ")[0] for run in old) == ["Popularity", "old", "rival"]
    files = mlruns / "artifacts"
    assert all((files / run.id).exists() for run in old if run.name != "old")
    remove(mlruns, old)
    assert set(runs_of(mlruns)) == {"of the champion", "champion"}
    assert not [path for run in old for path in (files / run.id).rglob("*") if path.is_file()]
    assert registry.load(1).recommend_one(["a"], k=2).height == 2
    versions = client_of(mlruns).search_model_versions("name = 'shop'")
    assert [int(version.version) for version in versions] == [1]
    assert replaced == 2
    assert len(list((files / "models").rglob("MLmodel"))) == 1


def test_nothing_old_removes_nothing(mlruns: Path) -> None:
    remove(mlruns, [])
    assert find_old(mlruns, MONTH) == []


def test_the_run_of_a_model_that_was_registered_from_its_folder_stays(mlruns: Path, tmp_path: Path) -> None:
    with tracking.run(mlruns, name="fit"):
        announce_fit(epochs=1).save(tmp_path / "model")
    assert len(find_old(mlruns, MONTH, now=LATER)) == 2
    Registry(mlruns, "shop").register(Popularity.load(tmp_path / "model"))
    assert find_old(mlruns, MONTH, now=LATER) == []
