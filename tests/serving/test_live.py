"""The whole circle: clicks over HTTP are written down, learned by `fresh`, and the next answers know them."""

import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest

from benchmarks.live import compared
from recsys_gru import GRU4Rec, generate_clicks

DAYS = 3


@pytest.mark.slow
def test_answers_given_over_http_recall_what_prequential_reckons(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    log = generate_clicks(n_sessions=240 * DAYS, n_items=60, days=DAYS, seed=3)
    first = log["time"].min()
    assert isinstance(first, datetime)
    start = datetime.combine(first.date(), time(), UTC) + timedelta(days=DAYS - 1)
    late = pl.col("time") >= start
    log = log.with_columns(item_id=pl.col("item_id") + 1000 * late)  # the assortment of the last day is new
    model = GRU4Rec(
        layers=(16,), batch_size=8, n_sample=32, n_epochs=3, logq=1.0, learning_rate=0.1, seed=1, device="cpu"
    ).fit(log.filter(~late))
    shutil.copytree(template, tmp_path / "mlruns")
    found = compared(model, log.filter(late), start, "6h", tmp_path)
    assert found["events"] == found["events_prequential"] > 300
    assert abs(found["recall_over_http"] - found["recall_prequential"]) < 0.01
    assert found["recall_over_http"] > 3 * found["recall_frozen"]
    assert found["recall_over_http"] > 0.2
    assert found["versions"] == 4
