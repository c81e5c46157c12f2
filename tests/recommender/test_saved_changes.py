"""Networks and blends that go on learning are saved by what has changed, and are the same models."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.contract import read_manifest

ITEMS, HOURS = 1500, 6
START = datetime(2026, 1, 1, tzinfo=UTC)


def clicks(hour: int, items: range) -> pl.DataFrame:
    """Sessions of five clicks, one on each of some items."""
    number = pl.int_range(len(items))
    moment = START + timedelta(hours=hour) + pl.duration(seconds=number)
    items_of = pl.Series("item_id", items)
    return pl.select(session_id=10_000 * hour + number // 5, time=moment).with_columns(items_of)


def network() -> rg.GRU4Rec:
    return rg.GRU4Rec(layers=(8,), batch_size=32, n_sample=2, n_epochs=1, half_life=100.0, seed=1)


@pytest.mark.parametrize("made", [network, lambda: rg.Blend([network(), rg.Markov()])])
def test_hour_by_hour_a_version_is_the_model_that_it_is_and_now_and_then_a_base(
    made: Callable[[], Any], tmp_path: Path
) -> None:
    model = made().fit(clicks(0, range(ITEMS)))
    model.save(tmp_path / "0")
    formats, linked = [], 0
    for hour in range(1, HOURS + 1):
        first = 150 * hour if hour < HOURS else ITEMS  # in the last hour new items come as well
        model.partial_fit(clicks(hour, range(first, first + 150)))
        version, before = tmp_path / str(hour), tmp_path / str(hour - 1)
        model.save(version, base=before)
        model.save(tmp_path / "whole")
        model = rg.load(version)
        model.save(tmp_path / "again")
        for path in (tmp_path / "whole").iterdir():
            assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
        formats.append(read_manifest(version).format)
        linked += (version / "weights.safetensors").samefile(before / "weights.safetensors")
    assert set(formats) == {2, 3}
    assert linked == formats.count(3)
