"""`prequential`: a stream foretold and learned, as lines, a page, a table and curves in MLflow."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.conftest import SMALL, Call
from tests.tracking.helpers import client_of, runs_of


def test_a_stream_is_told_period_by_period(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("prequential", log, "--every", "360", "--test-days", "2", *SMALL)
    lines = re.findall(r"^01-\d\d \d\d:\d\d( +[\d,]+){2}( +[-\d.]+){5}$", said, re.MULTILINE)
    periods = pl.read_csv(tmp_path / "prequential" / "periods.csv")
    assert len(lines) == periods.height >= 6
    whole = re.search(r"^all +([\d,]+) +\d+ +([\d.]+)", said, re.MULTILINE)
    assert whole is not None
    assert int(whole[1].replace(",", "")) == periods["events"].sum()
    page = (tmp_path / "prequential" / "prequential.html").read_text()
    assert page.count("<polyline") == 6  # learning and frozen, twice, clicks, seconds
    assert {"GRU4Rec", "GRU4Rec, learning,"} <= set(runs_of(tmp_path / "mlruns"))


def test_mlflow_holds_a_curve_over_the_periods(call: Call, log: Path, tmp_path: Path) -> None:
    call("prequential", log, "--every", "360", "--test-days", "2", "--model", "Markov", "--k", "5")
    periods = pl.read_csv(tmp_path / "prequential" / "periods.csv")
    client = client_of(tmp_path / "mlruns")
    learning = runs_of(tmp_path / "mlruns")["Markov, learning,"]
    assert learning.data.tags["prequential.learn"] == "True"
    assert learning.data.tags["prequential.every"] == "6:00:00"
    history = client.get_metric_history(learning.info.run_id, "period/recall_at_5")
    assert [point.value for point in history] == periods["recall_at_5"].drop_nulls().to_list()
    assert [point.step for point in history] == periods.with_row_index().drop_nulls()["index"].to_list()
    known = periods.drop_nulls()
    whole = np.average(known["recall_at_5"], weights=known["events"])
    assert learning.data.metrics["prequential/recall_at_5"] == pytest.approx(whole)
    assert "prequential.html" in [file.path for file in client.list_artifacts(learning.info.run_id)]
