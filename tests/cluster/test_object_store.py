"""Logs and prepared folders in an object store: the same bytes as on this machine, whoever is killed."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.cli import main
from recsys_gru.cluster import Ray
from recsys_gru.errors import ClickLogError, InputError, ParameterError, StoreError
from recsys_gru.files import Url, objects_in, send, write_text
from recsys_gru.sessions.seals import seal_of
from tests.cluster.test_preparing import DRIVER, RECIPE, ROWS, Deadly, files, is_still, made_up
from tests.serving.running import wait_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log as two files."""
    folder, log = tmp_path_factory.mktemp("logs"), made_up(1)
    log.head(900).write_parquet(folder / "a.parquet")
    log.tail(-900).write_parquet(folder / "b.parquet")
    return folder


@pytest.fixture(scope="module")
def logs(folder: Path, store: Path) -> str:
    """The same in the store."""
    send(folder, Url("s3://shop/logs"), ["a.parquet", "b.parquet"])
    assert files(store / "logs") == files(folder)
    return "s3://shop/logs"


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it in a folder."""
    place = tmp_path_factory.mktemp("alone") / "data"
    rg.prepare(rg.read_clicks(folder), place, RECIPE, rows_per_bucket=ROWS)
    return place


@pytest.fixture(scope="module")
def made(logs: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same in the store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        rg.prepare(rg.read_clicks(f"{logs}/*.parquet"), "s3://shop/made", RECIPE, rows_per_bucket=ROWS)
    return "s3://shop/made"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("made")
def test_one_process_puts_the_same_bytes_there(store: Path, alone: Path) -> None:
    assert files(store / "made") == files(alone)


@pytest.mark.usefixtures("cluster")
def test_workers_put_the_same_bytes_there_also_if_one_is_killed(
    logs: str, alone: Path, store: Path, tmp_path: Path
) -> None:
    with Ray() as engine:
        deadly = Deadly(engine, "by_item.npy", tmp_path / "killed")
        clicks = rg.read_clicks(logs)
        prepared = rg.prepare(clicks, "s3://shop/data", RECIPE, rows_per_bucket=ROWS, engine=deadly)
    assert (tmp_path / "killed").exists()
    assert files(store / "data") == files(alone) == files(prepared.folder)
    assert not objects_in(Url("s3://shop/data.partial")), "buckets are gone at the end"


def test_a_killed_program_goes_on(cluster: str, logs: str, alone: Path, store: Path) -> None:
    call = [sys.executable, "-c", DRIVER, logs, "s3://shop/broken"]
    surroundings = {**os.environ, "RAY_ADDRESS": cluster}
    done = subprocess.run(call, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    work = store / "broken.partial" / "work"
    wait_for(partial(is_still, work))  # its workers outlive it by a moment
    first = {path.name: path.stat().st_mtime_ns for path in work.glob("bucket-*.json")}
    assert len(first) >= 2
    met: dict[str, int] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage == "check" and done == total:
            met.update({name: (work / name).stat().st_mtime_ns for name in first})

    clicks = rg.read_clicks(logs)
    rg.prepare(clicks, "s3://shop/broken", RECIPE, rows_per_bucket=ROWS, on_progress=tell, engine="ray")
    assert met == first, "buckets that were done are not done again"
    assert files(store / "broken") == files(alone)


def test_what_is_prepared_there_is_learned_from_and_tested_on(made: str, alone: Path, tmp_path: Path) -> None:
    assert rg.as_sessions(made).fingerprint() == rg.as_sessions(alone).fingerprint()
    model = rg.GRU4Rec(layers=(8,), n_epochs=1, n_sample=0, seed=1).fit(made)
    assert rg.evaluate(model, made).ranks.equals(rg.evaluate(model, alone).ranks)
    assert rg.read_prepared(Path(made), verify=True).counts == rg.read_prepared(alone).counts
    assert len([*(tmp_path / "cache" / "recsys-gru").iterdir()]) == 1, "it is brought here once"


def test_the_command_line_takes_urls(logs: str, made: str, template: Path, tmp_path: Path) -> None:
    model = str(tmp_path / "model")
    rg.Popularity().fit(made).save(model)
    shutil.copytree(template, tmp_path / "mlruns")
    for words in (
        ["prepare", f"{logs}/a.parquet", "--out", "s3://shop/shell"],
        ["evaluate", model, made, "--verify", "--tracking-uri", str(tmp_path / "mlruns")],
    ):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code, words


def test_a_changed_object_and_a_half_result_are_noticed(store: Path, alone: Path) -> None:
    names = list(files(alone))
    send(alone, Url("s3://shop/changed"), names)
    write_text(Url("s3://shop/changed/train/ids.parquet"), "other bytes")
    with pytest.raises(ClickLogError, match=r"train/ids.parquet is not what prepare wrote"):
        rg.read_prepared("s3://shop/changed")
    write_text(Url("s3://shop/changed/prepared.json"), "{}")
    with pytest.raises(ClickLogError, match="is being written, or its prepare was broken off"):
        rg.as_sessions("s3://shop/changed")
    facts = {"sha256": {"../../elsewhere": "0"}}
    write_text(Url("s3://shop/changed/prepared.json"), json.dumps({**facts, "seal": seal_of(facts)}))
    with pytest.raises(ClickLogError, match="expected files in s3://shop/changed, got"):
        rg.read_prepared("s3://shop/changed")
    rg.prepare(made_up(2), "s3://shop/changed")  # in the place of the half one
    assert rg.read_prepared("s3://shop/changed", verify=True).counts["read"] == made_up(2).height
    assert len(files(store / "changed")) < len(names), "older files are gone"


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.ndjson"])
@pytest.mark.usefixtures("store")
def test_every_format_is_read_there(folder: Path, tmp_path: Path, name: str) -> None:
    log = pl.read_parquet(folder / "a.parquet").with_columns(pl.col("time").dt.to_string("iso"))
    path = tmp_path / name
    if name == "log.ndjson":
        log.write_ndjson(path)
    else:
        text = log.write_csv(separator=";").encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    send(tmp_path, Url("s3://shop/formats/deep"), [name])
    expected = rg.read_clicks(path).collect()
    for named in (f"s3://shop/formats/deep/{name}", f"s3://shop/**/{name}", Path(f"s3://shop/*/deep/{name}")):
        assert rg.read_clicks(named).collect().equals(expected)


def test_what_is_not_there_is_told(made: str, logs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClickLogError, match=r"found none with rows"):
        rg.read_clicks("s3://shop/nothing")
    with pytest.raises(ClickLogError, match=r"s3://shop/made is a prepared log, no raw one"):
        rg.read_clicks(made)
    with pytest.raises(ClickLogError, match=r"expected a prepared log in s3://shop/logs, there is none"):
        rg.read_prepared(logs)
    with pytest.raises(InputError, match=r"s3://shop/logs holds other files"):
        rg.prepare(made_up(1), logs)
    with pytest.raises(ParameterError, match=r"one in a bucket, got s3://shop: write s3://bucket/data"):
        rg.prepare(made_up(1), "s3://shop")
    for call in (partial(rg.prepare, made_up(1)), rg.read_clicks, rg.read_prepared, rg.as_sessions):
        with pytest.raises(StoreError, match=r"expected a bucket s3://nowhere, the store has none"):
            call("s3://nowhere/data")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for call in (partial(rg.prepare, made_up(1)), rg.read_clicks, rg.read_prepared, rg.as_sessions):
        with pytest.raises(StoreError, match=r"refused the one given. What to do: set AWS_ACCESS_KEY_ID"):
            call(made)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ParameterError, match=r"pip install 'recsys-gru\[s3\]'"):
        rg.read_clicks(logs)
