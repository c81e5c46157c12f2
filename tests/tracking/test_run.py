"""Fits and evaluations inside a tracking block become MLflow runs, and nothing of MLflow disturbs them."""

import json
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts

from recsys_gru import tracking
from recsys_gru.baselines import Popularity
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import TrackingError
from recsys_gru.evaluation import evaluate, read_ranks
from recsys_gru.ranking import ItemFilter
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.comparison import stored_ranks
from tests.tracking.helpers import (
    SESSIONS,
    TEST,
    announce_evaluation,
    announce_fit,
    client_of,
    fitted,
    runs_of,
    unseeded,
)


def test_a_fit_is_a_child_run_with_parameters_epochs_data_and_model(mlruns: Path) -> None:
    with unseeded(), tracking.run(mlruns, name="try 3", data="toy", description="three epochs"):
        model = announce_fit()
        report = announce_evaluation(model)
    runs = runs_of(mlruns)
    assert set(runs) == {"try 3", "Popularity"}
    parent, child = runs["try 3"], runs["Popularity"]
    assert parent.data.tags["role"] == "parent"
    assert parent.data.tags["mlflow.note.content"] == "three epochs"
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params == {name: str(value) for name, value in model.parameters().items()}
    assert child.data.metrics["test/recall_at_20"] == report.recall[20]
    assert child.data.tags["data.events"] == "15"
    assert child.data.tags["test.ties"] == "conservative"
    history = client_of(mlruns).get_metric_history(child.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 6.0), (2, 3.0), (3, 2.0)]
    assert child.inputs is not None
    contexts = {entry.tags[0].value: entry.dataset for entry in child.inputs.dataset_inputs}
    assert set(contexts) == {"training", "validation", "test"}
    assert contexts["training"].digest == SESSIONS.fingerprint()[:36]
    assert json.loads(str(contexts["training"].profile))["sessions"] == 5


def test_the_artifacts_are_the_saved_model_the_report_and_the_ranks(mlruns: Path) -> None:
    with tracking.run(mlruns, name="artifacts"):
        report = announce_evaluation(announce_fit())
    child = runs_of(mlruns)["Popularity"]
    assert child.info.artifact_uri.startswith((mlruns / "artifacts").as_uri())
    folder = Path(download_artifacts(run_id=child.info.run_id, tracking_uri=tracking.store_at(mlruns).uri))
    told = json.loads((folder / "report.json").read_text())
    assert report.to_dict().items() <= told.items()
    assert "coverage" in told
    assert read_ranks(folder / "ranks.parquet").equals(report.ranks)
    assert "<h1>Popularity on clicks</h1>" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "recall_curve.png").exists()
    assert (folder / "slices.png").exists()
    loaded = Popularity.load(folder / "model")
    assert loaded.recommend_one(["a"], k=3).equals(fitted().recommend_one(["a"], k=3))


def test_the_page_of_a_filtered_evaluation_shows_filtered_lists(mlruns: Path) -> None:
    with tracking.run(mlruns, name="filtered"):
        evaluate(fitted(), TEST, items=ItemFilter(allow=["c"]))
    child = runs_of(mlruns)["Popularity"]
    folder = Path(download_artifacts(run_id=child.info.run_id, tracking_uri=tracking.store_at(mlruns).uri))
    assert json.loads((folder / "report.json").read_text())["coverage"] == 0.25  # one item of four


def test_a_ledger_is_found_by_id_and_by_name_newest_first(mlruns: Path) -> None:
    for _ in range(2):
        with tracking.run(mlruns, name="again"):
            report = announce_evaluation(announce_fit())
    runs = client_of(mlruns).search_runs(["1"], "tags.model = 'Popularity'")
    newest, oldest = sorted(runs, key=lambda run: -run.info.start_time)
    assert stored_ranks(mlruns, "Popularity").run == newest.info.run_id
    found = stored_ranks(mlruns, oldest.info.run_id)
    assert found.run == oldest.info.run_id
    assert found.ranks.equals(report.ranks)


@pytest.mark.parametrize("name", ["nobody", "again", 'it\'s "x"'])
def test_a_run_without_a_ledger_is_refused(mlruns: Path, name: str) -> None:
    with tracking.run(mlruns, name="again"):
        pass
    with pytest.raises(TrackingError, match=r"which has no ranks\.parquet"):
        stored_ranks(mlruns, name)


def test_validation_within_a_fit_is_no_test_result(mlruns: Path) -> None:
    with tracking.run(mlruns, name="no test"):
        announce_fit()
    metrics = runs_of(mlruns)["Popularity"].data.metrics
    assert "valid/mrr_at_20" in metrics
    assert not [name for name in metrics if name.startswith("test/")]


def test_a_failed_fit_is_a_failed_run_that_says_why(mlruns: Path) -> None:
    with pytest.raises(RuntimeError, match="loss is NaN"), tracking.run(mlruns, name="fails"):
        announce_fit(error=RuntimeError("loss is NaN in epoch 2"))
    runs = runs_of(mlruns)
    assert runs["fails"].info.status == "FAILED"
    assert runs["Popularity"].info.status == "FAILED"
    assert runs["Popularity"].data.tags["error"] == "RuntimeError: loss is NaN in epoch 2"


def test_a_keyboard_interrupt_leaves_killed_runs(mlruns: Path) -> None:
    with pytest.raises(KeyboardInterrupt), tracking.run(mlruns, name="stopped"):
        raise KeyboardInterrupt
    assert runs_of(mlruns)["stopped"].info.status == "KILLED"


def test_a_model_fitted_elsewhere_gets_a_run_for_its_evaluation(mlruns: Path) -> None:
    model = fitted()
    with tracking.run(mlruns, name="later"):
        announce_evaluation(model)
        announce_evaluation(model)
    child = runs_of(mlruns)["Popularity"]
    assert child.info.status == "FINISHED"
    assert child.data.tags["test.events"] == "3"


def test_runs_of_one_experiment_lie_together(mlruns: Path) -> None:
    for name in ("first", "second"):
        with tracking.run(mlruns, name=name, experiment="shop"):
            pass
    assert set(runs_of(mlruns, "shop")) == {"first", "second"}


def test_nothing_is_left_behind_when_all_was_sent(mlruns: Path) -> None:
    with tracking.run(mlruns, name="clean"):
        announce_fit(epochs=1)
    assert list((mlruns / "outbox").iterdir()) == []


def test_a_file_uri_is_refused_with_what_to_give_instead() -> None:
    with pytest.raises(TrackingError, match="expected a folder or the URI"):
        tracking.store_at("file:./mlruns")


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(TrackingError, match="taken"), tracking.run(tmp_path / "taken", name="no"):
        pass


def test_a_test_part_of_nothing_but_misses_has_a_page_too(mlruns: Path) -> None:
    test = Sessions.from_events(clicks_of("az"), SESSIONS.vocabulary)
    with tracking.run(mlruns, name="misses"):
        report = evaluate(fitted(), test, unknown="miss")
    assert (report.events, report.recall[20]) == (1, 0.0)
    child = runs_of(mlruns)["Popularity"]
    assert child.data.metrics["test/recall_at_20"] == 0
    assert "report.html" in {file.path for file in client_of(mlruns).list_artifacts(child.info.run_id)}
