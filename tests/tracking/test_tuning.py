"""A search resumes where it stopped, gives up bad trials, and is no worse than the defaults on validation."""

import json
from pathlib import Path

import pytest
from mlflow.entities import Run as MlflowRun

from recsys_gru.clicks import generate_clicks
from recsys_gru.errors import ParameterError
from recsys_gru.recommender import RECOMMENDED
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.tuning import Search, open_study, refit, search
from tests.tracking.helpers import client_of

CLICKS = generate_clicks(n_sessions=300, n_items=40, days=4, seed=5)
TRAIN = Sessions.from_events(CLICKS)
VALIDATION = Sessions.from_events(generate_clicks(300, 40, 4, 5, part=1).head(400), TRAIN.vocabulary)
SMALL = {"layers": (8,), "n_sample": 8, "n_epochs": 4}


def trial_runs(mlruns: Path) -> list[str]:
    """Statuses of the trials' runs."""
    client = client_of(mlruns)
    runs = client.search_runs(["1"], "tags.role = 'trial'")
    return [run.info.status for run in runs]


def test_a_search_of_the_network_gives_up_bad_trials_and_keeps_each_as_a_run(mlruns: Path) -> None:
    said: list[str] = []
    asked = Search("GRU4Rec", SMALL, trials=12, study="gru")
    best = search(asked, TRAIN, VALIDATION, where=mlruns, say=said.append)
    study = open_study(asked.of(TRAIN, VALIDATION), mlruns)
    states = [trial.state.name for trial in study.trials]
    assert set(states) <= {"COMPLETE", "PRUNED"}
    assert "PRUNED" in states
    assert len(states) == 12
    assert study.best_value >= float(study.trials[0].value or 0)
    assert study.trials[0].params["learning_rate"] == RECOMMENDED["learning_rate"]
    statuses = trial_runs(mlruns)
    assert statuses.count("FINISHED") == states.count("COMPLETE")
    assert statuses.count("KILLED") == states.count("PRUNED")
    assert best.keys() >= {"learning_rate", "layers"}
    parent = client_of(mlruns).search_runs(["1"], "tags.role = 'parent'")[0]
    plots = {file.path for file in client_of(mlruns).list_artifacts(parent.info.run_id, "plots")}
    assert "plots/optimization_history.png" in plots
    assert parent.data.tags["best.learning_rate"] == str(study.best_params["learning_rate"])


def test_probabilities_are_held_against_what_came_in_the_test_and_in_no_trial(
    mlruns: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Search("Blend", {"models": [{"model": "Markov"}, {"model": "Popularity"}]}, trials=1)
    refit(asked, search(asked, TRAIN, VALIDATION, where=mlruns), TRAIN, VALIDATION, mlruns)
    told = {
        run.data.tags["role"]: json.loads((artifacts_of(run) / "report.json").read_text())
        for run in client_of(mlruns).search_runs(["1"], "tags.role != 'parent'")
    }
    assert "calibration_error" not in told.pop("trial")
    assert ["calibration_error" in report for report in told.values()] == [True]
    assert capsys.readouterr() == ("", "")


def artifacts_of(run: MlflowRun) -> Path:
    """Where the run's files are."""
    return Path(str(run.info.artifact_uri).removeprefix("file://"))


def test_a_search_goes_on_where_it_stopped(mlruns: Path) -> None:
    said: list[str] = []
    for trials in (2, 5):
        search(Search("ItemKNN", trials=trials), TRAIN, VALIDATION, where=mlruns, say=said.append)
    assert len([line for line in said if line.startswith("trial ")]) == 5
    assert len(open_study(Search("ItemKNN").of(TRAIN, VALIDATION), mlruns).trials) == 5
    assert said[0].startswith("begins 'tuning ")
    assert next(line for line in said if line.startswith("goes on with 'tuning ")).endswith("2 trials so far")


@pytest.mark.parametrize("other", ["data", "validation", "fixed parameters", "class"])
def test_a_study_of_the_same_name_that_searches_something_else_begins_anew(mlruns: Path, other: str) -> None:
    said: list[str] = []
    search(Search("ItemKNN", trials=2), TRAIN, VALIDATION, where=mlruns)
    train = Sessions.from_events(CLICKS.head(700)) if other == "data" else TRAIN
    held = Sessions.from_events(CLICKS.tail(300), train.vocabulary)
    validation = held if other in ("data", "validation") else VALIDATION
    fixed: dict[str, object] = {"neighbors": 3} if other == "fixed parameters" else {}
    asked = Search("STAN" if other == "class" else "ItemKNN", fixed, trials=2)
    best = search(asked, train, validation, where=mlruns, say=said.append)
    assert said[0].endswith("1 of that name are of other data or settings")
    assert len([line for line in said if line.startswith("trial ")]) == 2
    assert asked.model(best).parameters().items() >= fixed.items()


def test_the_best_is_fitted_on_everything_and_tested(mlruns: Path) -> None:
    model, report = refit(Search("Markov"), {}, TRAIN, VALIDATION, mlruns)
    assert model.vocabulary_ is TRAIN.vocabulary
    assert report.events > 0


def test_nothing_left_to_search_is_a_clear_error(mlruns: Path) -> None:
    with pytest.raises(ParameterError, match="no hyper-parameter left"):
        search(Search("Popularity"), TRAIN, VALIDATION, where=mlruns)
