"""The sessions of a window, also where their ids begin anew every day."""

import importlib
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.plumbing.settings import DEFAULT, read_settings
from recsys_gru.preparation import ClickStore

DAY = 86_400


def test_ids_that_begin_anew_every_day_leave_the_day_its_test_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClickStore(tmp_path)
    for day in range(3):
        begin = 1_767_225_600 + day * DAY + 36_000
        rows = [(s, item, begin + s * 60 + item * 20) for s in range(50) for item in (1, 2, 3)]
        store.add(pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row"))
    stage: Any = importlib.import_module("pipelines.stages.sessions")
    monkeypatch.setattr(stage, "store_of", lambda _: store)
    split = stage.split_of(date(2026, 1, 3), read_settings(DEFAULT), 2)
    assert split.train.lazy().collect().height == 300
    assert split.test.lazy().collect().height == 150
