"""What is known about the moments of clicks, from the file to packed sessions and back."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import ClickLogError, ParameterError, SchemaError

LOG = pl.DataFrame(
    {
        "session_id": [2, 2, 2, 1, 1],
        "item_id": ["a", "b", "rare", "a", "b"],
        "time": [0, 3, 4, 7200, 7200 + 9000],
        "device": [" phone", None, "tv", "", "1"],
        "code": [1.0, None, 3.0, 1.5, float("nan")],
    }
)
NAMES = ("device", "gap", "hour", "code")


@pytest.fixture
def packed() -> rg.Sessions:
    """Of two known items, the third unknown."""
    vocabulary = rg.Vocabulary(pl.Series(["b", "a"]), np.array([1, 1]))
    return rg.Sessions.from_events(rg.read_clicks(LOG, context=("device", "code")), vocabulary, NAMES)


def test_labels_are_texts_and_go_with_their_clicks(packed: rg.Sessions) -> None:
    assert packed.moment is not None
    assert packed.moment.to_dict(as_series=False) == {
        "device": ["phone", None, None, "1"],
        "gap": [None, 1, None, 13],  # 3 seconds; 9,000 and more are the last
        "hour": [0, 0, 2, 4],
        "code": ["1", None, "1.5", None],
    }
    assert packed.unknown.select(NAMES).row(0) == ("tv", 0, 0, "3")
    assert packed.part(np.array([1])).moment.equals(packed.moment[2:])  # type: ignore[union-attr]
    assert packed.numbered_by(None).numbered_by(packed.vocabulary).fingerprint() == packed.fingerprint()
    other = rg.Sessions.from_events(rg.read_clicks(LOG), packed.vocabulary)
    assert other.moment is None
    assert other.fingerprint() != packed.fingerprint()


def test_columns_are_kept_on_the_way(tmp_path: Path) -> None:
    LOG.with_columns(device=pl.Series(["1", "02", "3", None, "1"])).write_csv(tmp_path / "log.csv")
    read = rg.read_clicks(tmp_path / "log.csv", context=("device",))
    checked = rg.check_clicks(pl.concat([read.collect(), read.collect().head(1)]), context=("device",))
    assert checked.counts["duplicate"] == 1
    kept = rg.filter_sessions(rg.split_by_time(checked.clicks, timedelta(days=1)).test, 1, 1)
    assert kept.lazy().collect()["device"].to_list() == [None, "1", "1", "02", "3"]


def test_they_are_written_and_read(packed: rg.Sessions, tmp_path: Path) -> None:
    rg.write_sessions(packed, tmp_path)
    assert rg.read_sessions(tmp_path).fingerprint() == packed.fingerprint()
    assert packed.moment is not None
    for wrong in (packed.moment.head(2), packed.moment.with_columns(hour=pl.col("hour") + 30)):
        wrong.write_parquet(tmp_path / "moment.parquet")
        with pytest.raises(ClickLogError, match="labels of other events"):
            rg.read_sessions(tmp_path)
    plain = rg.Sessions.from_events(rg.read_clicks(LOG))
    rg.write_sessions(plain, tmp_path)
    assert rg.read_sessions(tmp_path).moment is None


def test_what_cannot_be_a_label_is_refused() -> None:
    with pytest.raises(SchemaError, match="no column 'os' for context"):
        rg.read_clicks(LOG, context=("os",))
    with pytest.raises(SchemaError, match="is no label"):
        rg.read_clicks(LOG.with_columns(device=[1, 2]), context=("device",))
    with pytest.raises(ParameterError, match="names all columns"):
        rg.read_clicks(LOG, context=("device",), format="yoochoose")
    for names in ("device", ("device", "device"), ("item_id",), ("",), 5):
        with pytest.raises(ParameterError, match="expected context"):
            rg.read_clicks(LOG, context=names)  # type: ignore[arg-type] # wrong on purpose
