"""What earlier versions of the library wrote is read by this one, and means what it meant.

Every kind of file is read twice: as commit 74fdd28 wrote it (``written_before/``), and as this code writes
it. A test that fails on the first tells of files out there that nobody can read any more: mend the code, not
the files.
"""

import importlib
import json
import pkgutil
import shutil
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.contract import read_manifest
from tests.written_before import make

HERE = Path(__file__).with_name("written_before")
NAMES: dict[str, Any] = json.loads((HERE / "names.json").read_text())
MODELS = ("gru4rec", "vsknn", "markov")
LAST_BITS = 1e-4
"""Processors differ in the last bits of sums, and training carries that on."""


@pytest.fixture(scope="module", autouse=True)
def quiet_mlflow() -> Iterator[None]:
    """MLflow tells nobody about the tests, and draws no bars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        yield


@pytest.fixture(scope="module", params=["before", "now"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of every kind."""
    folder = tmp_path_factory.mktemp("written") / str(request.param)
    if request.param == "now":
        make.write(folder)
    else:
        shutil.copytree(HERE, folder)
    return folder


@pytest.fixture
def told(written: Path) -> dict[str, Any]:
    """What the writer said of what it wrote."""
    found: dict[str, Any] = json.loads((written / "answers.json").read_text())
    return found


def about(content: object, place: str = "") -> dict[str, Any]:
    """Every single value of nested dicts and lists by its place."""
    if not isinstance(content, dict | list | tuple):
        return {place: content}
    entries = content.items() if isinstance(content, dict) else enumerate(content)
    return {key: value for name, entry in entries for key, value in about(entry, f"{place}/{name}").items()}


def require_same(found: object, expected: object) -> None:
    """The values that were recorded are the same, but for the last bits; later code may tell more."""
    recorded = about(expected)
    assert {place: value for place, value in about(found).items() if place in recorded} == {
        place: pytest.approx(value, rel=LAST_BITS) if isinstance(value, float) else value
        for place, value in recorded.items()
    }


def model_in(folder: Path) -> rg.Recommender:
    """The saved model."""
    model: rg.Recommender = getattr(rg, read_manifest(folder).model).load(folder)
    return model


def bytes_in(folder: Path) -> dict[str, bytes]:
    """The content of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_answers_as_it_did(written: Path, told: dict[str, Any], name: str) -> None:
    require_same(make.answers_of(model_in(written / name), written), told[name])


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_keeps_what_was_noted_on_it(written: Path, name: str) -> None:
    manifest = read_manifest(written / name)
    assert manifest.metrics == {"recall_at_20": 0.5}
    assert manifest.metadata["made"] == "before"
    assert model_in(written / name).parameters().keys() >= manifest.parameters.keys()


def test_a_saved_network_learns_on_as_it_would_have_done(written: Path) -> None:
    """As the one that was saved, which is fitted here once more: what was recorded of going on is of a time
    when training clicks were counted twice."""
    parts = rg.read_prepared(written / "prepared")
    model = rg.GRU4Rec.load(written / "gru4rec")
    never_saved = make.gru4rec(model.n_epochs).fit(parts.train)
    require_same(make.answers_of(never_saved, written), make.answers_of(model, written))
    for network in (model, never_saved):
        network.partial_fit(parts.test, n_epochs=1)
    require_same(make.answers_of(model, written), make.answers_of(never_saved, written))


def test_a_broken_off_fit_goes_on_where_it_stood_and_ends_as_one_that_never_stopped(
    written: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copytree(written / "checkpoint", tmp_path / "checkpoint")
    kept = facts_of(tmp_path / "checkpoint" / "checkpoint")
    assert kept["position"]["epoch"] == 1, "the checkpoint stands in the second epoch ..."
    assert 0 < kept["position"]["events"] < told["checkpoint"]["epochs"][1]["events"], "... in its middle"
    parts, heard = rg.read_prepared(written / "prepared"), list[rg.EpochReport]()
    model = make.gru4rec(3, patience=3)
    model.fit(parts.train, parts.test, checkpoint_dir=tmp_path / "checkpoint", on_epoch=heard.append)
    assert [report.epoch for report in heard] == [2, 3]
    assert asdict(model.history_[0]) == kept["history"][0]
    assert model.history_[1].seconds > kept["position"]["seconds"]
    epochs = [{"loss": one.loss, "events": one.events, "metrics": one.metrics} for one in model.history_]
    require_same({"epochs": epochs, "model": make.answers_of(model, written)}, told["checkpoint"])


def facts_of(checkpoint: Path) -> dict[str, Any]:
    """What stands in the head of a checkpoint: 64 letters of seal, then safetensors."""
    payload = checkpoint.read_bytes()[64:]
    head = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
    facts: dict[str, Any] = json.loads(head["__metadata__"]["facts"])
    return facts


def test_a_store_holds_the_same_events_and_takes_no_day_twice(
    written: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    store = rg.ClickStore(Path(shutil.copytree(written / "store", tmp_path / "store")))
    before, days = bytes_in(store.folder), make.days_of(written)
    usable = rg.check_clicks(pl.concat(days)).clicks.collect()
    assert store.events().collect().sort(pl.all()).equals(usable.sort(pl.all()))
    assert [store.add(day).days for day in days] == [(), (), ()]
    assert bytes_in(store.folder) == before
    prints = {str(day): text for day, text in store.fingerprints().items()}
    assert {"all": store.fingerprint()} | prints == told["store"]


def test_a_prepared_log_is_what_it_was_and_is_prepared_the_same_again(
    written: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    assert make.told_of(rg.read_prepared(written / "prepared")) == told["prepared"]
    again = rg.prepare(rg.read_clicks(written / "clicks.parquet"), tmp_path / "again", make.RECIPE)
    assert make.told_of(again) == told["prepared"]
    reasons = pl.read_parquet(written / "prepared" / "quarantine" / "*.parquet")["reason"]
    assert set(reasons) == {entry["rule"] for entry in told["prepared"]["ledger"]}


@pytest.mark.parametrize("part", ["train", "test"])
def test_packed_sessions_have_their_fingerprint(written: Path, told: dict[str, Any], part: str) -> None:
    sessions = rg.read_sessions(written / "packed" / part)
    assert sessions.fingerprint() == told["packed"][part]
    assert rg.as_sessions(sessions.events(), sessions.vocabulary).fingerprint() == told["packed"][part]


def test_a_rank_ledger_gives_the_figures_of_its_report(written: Path, told: dict[str, Any]) -> None:
    ranks, report = rg.read_ranks(written / "ranks.parquet")["rank"], told["gru4rec"]["report"]
    assert len(ranks) == report["events"]
    assert (ranks <= 20).mean() == pytest.approx(report["recall_at_20"])


def test_notes_of_a_fit_are_read_as_records_of_a_run(written: Path) -> None:
    records = list(rg.tracking.Notebook(written / "notes").read("a ticket"))
    lines = [json.loads(line) for line in (written / "notes" / "records.jsonl").read_text().splitlines()]
    assert len(records) == len(lines) >= 5
    for record, line in zip(records, lines, strict=True):
        assert type(record).__name__ == line.pop("kind")
        files = {"waiting": str(written / "notes" / line["waiting"])} if "waiting" in line else {}
        assert asdict(record) == line | files | {"ticket": "a ticket"}
        assert all(Path(file).exists() for file in files.values())


def test_a_served_model_runs_with_this_code_in_place_of_its_own(
    written: Path, told: dict[str, Any], tmp_path: Path
) -> None:
    import mlflow.pyfunc
    import pandas as pd

    shutil.unpack_archive(written / "served.zip", tmp_path / "served")
    ids = model_in(written / "markov").vocabulary_.ids.to_list()
    served = mlflow.pyfunc.load_model(str(tmp_path / "served"))
    found = served.predict(pd.DataFrame({"items": [ids[3:4], ids[5:8]]}), params={"k": 5})
    for answer, expected in zip(
        found, [told["markov"]["asked"][name] for name in ("one", "three")], strict=True
    ):
        require_same((answer["items"], answer["scores"]), (expected["item_id"], expected["score"]))


def test_a_settings_file_of_the_nightly_job_means_what_it_meant() -> None:
    settings = importlib.import_module("pipelines.plumbing.settings").read_settings(HERE / "nightly.toml")
    given = tomllib.loads((HERE / "nightly.toml").read_text())
    assert settings.model == given.pop("model")
    paths = {"folder", "path", "sessions", "where"}
    for section, entries in given.items():
        for key, value in entries.items():
            found = getattr(getattr(settings, section), key)
            meant = tuple(value) if isinstance(value, list) else str(HERE / value) if key in paths else value
            assert (str(found) if key in paths else found) == meant, f"{section}.{key}"
    left_out = (settings.input.max_elsewhere, settings.gate.level, settings.recommend.exclude_seen)
    assert left_out == (0.5, 0.95, True)


def test_every_public_name_is_still_there() -> None:
    assert not set(NAMES["public"]) - set(rg.__all__)
    assert not lost("recsys_gru", set(NAMES["public"]) - {"errors", "tracking"})


@pytest.mark.parametrize("room", NAMES["rooms"])
def test_every_name_of_a_room_is_still_reached_through_it(room: str) -> None:
    assert not lost(f"recsys_gru.{room}", NAMES["rooms"][room])


def lost(package: str, names: Collection[str]) -> list[str]:
    """The names that a package lacks, or hides behind a module of the same name once that is loaded."""
    place = importlib.import_module(package)
    for module in pkgutil.iter_modules(place.__path__, f"{package}."):
        if module.name.rpartition(".")[2] in names:
            importlib.import_module(module.name)
    return [name for name in names if isinstance(getattr(place, name, place), ModuleType)]


@pytest.mark.parametrize("table", NAMES["mlflow"])
def test_every_name_in_mlflow_is_still_used(table: str) -> None:
    assert not set(NAMES["mlflow"][table]) - set(make.names()["mlflow"][table])
