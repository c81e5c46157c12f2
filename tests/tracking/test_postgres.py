"""Another database is only a tracking URI away: the same runs and the same registry in PostgreSQL."""

from pathlib import Path

import pytest

from recsys_gru import tracking
from recsys_gru.tracking.registry import Registry
from tests.tracking.helpers import announce_evaluation, announce_fit, client_of, runs_of
from tests.tracking.postgres import postgres


@pytest.mark.slow
def test_runs_and_models_are_kept_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres() as uri:
        with tracking.run(uri, name="in postgresql") as tracker:
            model = announce_fit(epochs=3)
            announce_evaluation(model)
            version = Registry(uri).register(model, run=tracker.run_of(model))
        runs = runs_of(uri)
        assert set(runs) == {"in postgresql", "Popularity"}
        kept = runs["Popularity"]
        assert kept.info.status == "FINISHED"
        assert "test/mrr_at_20" in kept.data.metrics
        client = client_of(uri)
        history = client.get_metric_history(kept.info.run_id, "train/loss")
        assert [(point.step, point.value) for point in history] == [(1, 6.0), (2, 3.0), (3, 2.0)]
        assert "ranks.parquet" in {file.path for file in client.list_artifacts(kept.info.run_id)}
        assert str(client.get_model_version_by_alias("gru4rec", "challenger").version) == str(version)
    assert list((tmp_path / "mlruns" / "outbox").iterdir()) == []
