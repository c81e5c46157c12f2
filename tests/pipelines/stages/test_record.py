"""The MLflow run of a night bears all that other runs bear, and what the night counted, each thing once."""

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from mlflow.entities import Run

from pipelines.plumbing.errors import DONE, REFUSED
from pipelines.stages.champion import registry_of
from pipelines.stages.record import COUNTED
from recsys_gru import GRU4Rec
from recsys_gru.evaluation import read_ranks
from recsys_gru.tracking import names
from recsys_gru.tracking.dashboard import parts_tested
from recsys_gru.tracking.delivery import connect, store_at
from tests.pipelines.nights import DAY, Home, begun
from tests.tracking.test_kinds import unknown

CUTS = [f"{name}_at_{k}" for name in ("recall", "mrr") for k in (5, 10, 20)]
FILES = {
    "decision.md", "ranks.parquet", "recall_curve.png", "report.html", "report.json", "slices.png",
    "training.html",
}  # fmt: skip
CURVES = {
    "train/loss", "train/events_per_second", "train/seconds", "system/cpu_percent", "system/memory_megabytes",
}  # fmt: skip


@pytest.fixture(scope="module")
def refused_once(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A project whose first night has been refused; its report was written."""
    made = begun(template, tmp_path_factory.mktemp("refused"))
    made.configure(
        evaluate={"page": True, "baselines": ["Popularity"]},
        gate={"over_baseline": 1000.0, "max_unknown": 1.0, "max_latency_ms": 60000.0},
    )
    made.take_in_before()
    assert made.run() == REFUSED
    return made


@pytest.fixture
def refused(refused_once: Home, tmp_path: Path) -> Home:
    """The same, of the test's own."""
    return refused_once.copied_to(tmp_path / "home")


def run_of(home: Home) -> Run:
    """The only run of the day."""
    client = connect(store_at(home.mlruns))
    experiment = client.get_experiment_by_name("nightly")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.day = '{DAY}'")
    return run


def steps(home: Home, run: Run) -> dict[str, list[int]]:
    """The steps of every metric, in the order of its history."""
    client = connect(store_at(home.mlruns))
    return {
        name: sorted(point.step for point in client.get_metric_history(run.info.run_id, name))
        for name in run.data.metrics
    }


def test_a_refused_night_has_parameters_data_curves_intervals_files_and_the_model(
    refused: Home, tmp_path: Path
) -> None:
    run, client = run_of(refused), connect(store_at(refused.mlruns))
    assert run.info.status == "FINISHED"
    given = {
        f"{part}.{name}" for part in ("window", "train") for name in vars(vars(refused.settings())[part])
    }
    assert run.data.params.keys() == GRU4Rec().parameters().keys() | given
    assert (run.data.params["momentum"], run.data.params["window.days"]) == ("0.0", "3")
    assert run.inputs is not None
    assert {entry.tags[0].value: entry.dataset.name for entry in run.inputs.dataset_inputs} == {
        "training": "clicks", "test": "clicks",
    }  # fmt: skip
    expected = {f"test/{name}" for name in CUTS} | {"train/total_seconds"}
    expected |= {f"test_interval/{name}_{end}" for name in CUTS for end in ("low", "high")}
    expected |= {f"baseline/Popularity_{name}" for name in CUTS} | CURVES
    assert expected <= run.data.metrics.keys()
    beside = ("stage/", "test_all", "test_known", "test/")
    assert all(name.startswith(beside) for name in run.data.metrics.keys() - expected)
    tags = {"role", "model", "data", "data.events", "test.events", "code.version", "library.torch"}
    tags |= {"test.part", "test.first", "test.last"}
    tags |= {"machine.cores", "machine.threads", "gate", "gate.promoted", "gate.margin", "day", "fingerprint"}
    assert tags <= run.data.tags.keys()
    (part,) = parts_tested(refused.mlruns, "nightly")
    assert (part.key, part.first, part.models) == (run.data.tags["test.part"], str(DAY), 1)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == FILES
    ranks = read_ranks(client.download_artifacts(run.info.run_id, "ranks.parquet", str(tmp_path)))
    assert ranks.height == run.data.metrics["stage/evaluate_events"]
    outputs = client.get_run(run.info.run_id).outputs
    assert outputs is not None
    (linked,) = outputs.model_outputs
    version = registry_of(refused.settings()).find("day", str(DAY))
    assert version is not None
    kept = client.get_model_version("gru4rec", str(version))
    assert (kept.run_id, linked.model_id in str(kept.source)) == (run.info.run_id, True)
    assert registry_of(refused.settings()).load(version).parameters()["layers"] == (16,)


def test_no_night_bears_a_name_that_the_list_does_not_know(refused: Home) -> None:
    refused.configure(evaluate={"page": True, "baselines": ["Popularity"]})
    assert refused.run() == DONE
    run, client = run_of(refused), connect(store_at(refused.mlruns))
    assert unknown(run.data.metrics, names.METRICS) == []
    assert unknown([tag for tag in run.data.tags if not tag.startswith("mlflow.")], names.TAGS) == []
    files = [file.path for file in client.list_artifacts(run.info.run_id)]
    assert unknown(files, [name.rstrip("/") for name in names.ARTIFACTS]) == []


def test_a_night_recorded_again_has_every_point_and_every_data_set_once(refused: Home) -> None:
    first = run_of(refused)
    told = steps(refused, first)
    assert all(told[name][-3:] == [1, 2, 3] for name in CURVES)
    assert all(told[name] == [1, 2, 3] for name in CURVES if name.startswith("train"))
    assert all(found == [0] for name, found in told.items() if name not in CURVES)
    (folder,) = (refused.work / "days" / str(DAY)).glob("record-*")
    shutil.rmtree(folder)
    assert refused.run() == REFUSED
    again = run_of(refused)
    assert steps(refused, again) == told
    assert again.data.metrics == first.data.metrics
    assert again.inputs is not None
    assert len(again.inputs.dataset_inputs) == 2


def test_a_night_logs_how_long_each_stage_took_and_what_it_counted(serving: Home) -> None:
    client = connect(store_at(serving.mlruns))
    (run,) = client.search_runs(["1"], f"tags.day = '{DAY}'")
    seconds = {f"stage/{stage}_seconds" for stage in (*COUNTED, "promote")}
    counts = {f"stage/{stage}_{what}" for stage, names in COUNTED.items() for what in names}
    measured = {"test/recall_at_20", "test/mrr_at_20", "baseline/Popularity_recall_at_20"}
    assert seconds | counts | measured <= set(run.data.metrics)
    assert run.data.metrics["stage/ingest_read"] == pl.read_parquet(serving.settings().input.file(DAY)).height
    assert run.data.metrics["stage/recommend_rows"] == serving.lists("items").height
    assert run.data.tags["gate"].startswith("promoted: ")
    assert "decision.md" in serving.kept()


def test_the_last_stage_takes_away_what_is_no_longer_needed(ready: Home) -> None:
    days = ready.work / "days"
    old, young = (days / str(DAY - timedelta(days=back)) for back in (31, 29))
    leftover = days / str(DAY) / ".train-0.checkpoint"
    for folder in (old, young, leftover):
        folder.mkdir(parents=True)
    assert ready.run() == DONE
    assert not old.exists()
    assert young.exists()
    assert not [path for path in (days / str(DAY)).iterdir() if path.name.startswith(".")]
