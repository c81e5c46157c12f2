"""Every kind of run bears what the list of names says, and nothing that the list does not know."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from mlflow.entities import Run as MlflowRun

import recsys_gru
from recsys_gru import tracking
from recsys_gru.baselines import Markov
from recsys_gru.blend import Blend
from recsys_gru.clicks import generate_clicks
from recsys_gru.evaluation import evaluate
from recsys_gru.recommender import GRU4Rec
from recsys_gru.sessions import Sessions
from recsys_gru.tracking import names
from recsys_gru.tracking.comparison import show_comparison
from recsys_gru.tracking.tuning import Search, refit, search
from tests.tracking.helpers import client_of, short_name

CLICKS = generate_clicks(n_sessions=120, n_items=30, days=4, seed=5)
TRAIN = Sessions.from_events(CLICKS)
OTHER = Sessions.from_events(generate_clicks(120, 30, 4, 5, part=1).head(150), TRAIN.vocabulary)
HELD = Sessions.from_events(generate_clicks(120, 30, 4, 5, part=2).head(100), TRAIN.vocabulary)
SMALL = {"layers": (8,), "n_sample": 8, "n_epochs": 2}
EVERY = {"role", "data", "code.version", "machine.cores", "library.torch", "recsys_gru.process"}
FIT = {"training.html", "model"}
REPORT = {"report.html", "report.json", "ranks.parquet"}
PICTURES = {"recall_curve.png", "slices.png"}
SYSTEM = {"train/total_seconds", "system/cpu_percent", "system/memory_megabytes"}
BOTH = ("recall_at_20", "mrr_at_20")
ENDS = {f"test_interval/{name}_{end}" for name in BOTH for end in ("low", "high")}
VIEWS = ("test_all", "test_known", "test_all_shown", "test_known_shown")
SHARES = {f"test/{name}_share" for name in ("unknown", "repeat", "tied")}
BESIDE = {f"{view}/{name}" for view in VIEWS for name in BOTH} | SHARES
TEST = {f"test/{name}" for name in BOTH} | ENDS | BESIDE
VALID = {f"valid/{name}" for name in BOTH}
LEARNED = {"train/loss", "train/events_per_second", "train/seconds"}
EPOCHS = LEARNED | VALID
KINDS = {
    "compare": (set(), {"comparison.png"}, set()),
    "GRU4Rec": (EPOCHS | SYSTEM | TEST, FIT | REPORT | PICTURES, {"training", "validation", "test"}),
    "Markov": (SYSTEM | TEST, FIT | REPORT | PICTURES, {"training", "test"}),
    "Blend": (SYSTEM | TEST | {"test/calibration_error"}, FIT | REPORT | PICTURES, {"training", "test"}),
    "only fitted": (EPOCHS | SYSTEM, FIT, {"training", "validation"}),
    "only evaluated": (TEST, REPORT | PICTURES | {"model"}, {"test"}),
    "study": ({"valid/mrr_at_20"}, {"plots"}, set()),
    "study of baselines": ({"valid/mrr_at_20"}, {"plots"}, set()),
    "trial 0": (EPOCHS | SYSTEM, FIT | REPORT, {"training", "validation"}),
    "trial 0 of a baseline": (SYSTEM | VALID, FIT | REPORT, {"training", "validation"}),
    "best GRU4Rec": (SYSTEM | TEST | LEARNED, FIT | REPORT | PICTURES, {"training", "test"}),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MlflowRun]:
    """One run of every kind."""
    where = tmp_path_factory.mktemp("kinds") / "mlruns"
    elsewhere = Markov().fit(TRAIN)
    with tracking.run(where, name="compare", data="toy") as tracker:
        models = (Markov().fit(TRAIN), GRU4Rec(**SMALL).fit(TRAIN, HELD))  # type: ignore[arg-type]
        show_comparison(
            tracker.parent, {type(model).__name__: evaluate(model, OTHER) for model in models}, "toy"
        )
        evaluate(Blend([Markov()]).fit(TRAIN), OTHER)
        tracker.child_name = "only fitted"
        GRU4Rec(**SMALL).fit(TRAIN, HELD)  # type: ignore[arg-type]
        tracker.child_name = "only evaluated"
        evaluate(elsewhere, OTHER)
    asked = Search("GRU4Rec", SMALL, trials=1, study="study", data="toy").of(TRAIN, HELD)
    refit(asked, search(asked, TRAIN, HELD, where=where), TRAIN, OTHER, where)
    search(Search("ItemKNN", trials=1, study="study of baselines"), TRAIN, HELD, where=where)
    found: dict[str, MlflowRun] = {}
    for run in client_of(where).search_runs(["1"]):
        again = " of a baseline" if run.data.tags.get("model") == "ItemKNN" else ""
        found[f"{short_name(run)}{again}"] = run
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_has_the_metrics_files_and_data_of_its_kind(runs: dict[str, MlflowRun], kind: str) -> None:
    metrics, files, data = KINDS[kind]
    run = runs[kind]
    assert run.info.status == "FINISHED"
    cut = {name for name in run.data.metrics if not re.search(r"_at_(5|10)(_|$)", name)}
    assert metrics <= cut
    assert not [name for name in cut - metrics if name.startswith(("test", "valid", "train"))]
    assert run.data.tags.keys() >= EVERY
    assert {file.path for file in client_of(store_of(run)).list_artifacts(run.info.run_id)} == files
    inputs = run.inputs.dataset_inputs if run.inputs is not None else []
    assert {entry.tags[0].value for entry in inputs} == data
    if "model" in files:
        parameters = getattr(recsys_gru, run.data.tags["model"])().parameters()
        assert run.data.params.keys() == parameters.keys()


def test_no_run_bears_a_name_that_the_list_does_not_know(runs: dict[str, MlflowRun]) -> None:
    assert set(runs) == set(KINDS)
    for run in runs.values():
        assert unknown(run.data.metrics, names.METRICS) == []
        own = [name for name in run.data.tags if not name.startswith("mlflow.")]
        assert unknown(own, names.TAGS) == []
        files = [file.path for file in client_of(store_of(run)).list_artifacts(run.info.run_id)]
        assert unknown(files, [name.rstrip("/") for name in names.ARTIFACTS]) == []


def unknown(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names that are none of the known, where K stands for a cut-off and NAME for anything."""
    patterns = [re.escape(name).replace("_K", r"_\d+").replace("NAME", ".+") for name in known]
    return [name for name in found if not any(re.fullmatch(pattern, name) for pattern in patterns)]


def store_of(run: MlflowRun) -> Path:
    """The folder of the run's store."""
    return Path(str(run.info.artifact_uri).removeprefix("file://")).parents[2]
