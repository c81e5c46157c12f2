"""The commands do on a small log what they say, one after the other as a person would call them."""

import re
from pathlib import Path

import polars as pl
from click.testing import CliRunner

from recsys_gru.cli.app import app
from tests.cli.conftest import SMALL, Call
from tests.tracking.helpers import runs_of


def test_demo_tells_the_whole_story(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("demo", log, *SMALL)
    clicks = len(log.read_text().splitlines()) - 1
    assert f"{clicks:,} read, {clicks:,} kept, 0 rejected" in said
    assert re.search(r"split +test: sessions from 2026-01-0\d 00:00 UTC", said)
    assert re.search(r"epoch +2/2 +loss \d+\.\d{4} +[\d,]+ events/s .* 0 s left", said)
    for model in ("GRU4Rec", "Popularity", "Markov", "ItemKNN"):
        assert re.search(rf"^{model}( +0\.\d{{4}}){{6}}$", said, re.MULTILINE)
    assert len(re.findall(r"^  .*  ->  .*next", said, re.MULTILINE)) == 5
    assert "make dashboard" in said
    assert (tmp_path / "demo" / "model" / "manifest.json").exists()
    runs = runs_of(tmp_path / "mlruns")
    assert set(runs) == {"compare shop", "GRU4Rec", "Popularity", "Markov", "ItemKNN"}
    gru = runs["GRU4Rec"].data
    assert {"train/loss", "valid/mrr_at_20", "test/mrr_at_20", "test_interval/mrr_at_20_low"} <= set(
        gru.metrics
    )
    assert gru.params["n_sample"] == "16"
    assert list((tmp_path / "mlruns" / "artifacts" / runs["GRU4Rec"].info.run_id).rglob("report.html"))
    assert "| GRU4Rec |" in runs["compare shop"].data.tags["mlflow.note.content"]


def test_the_test_part_follows_test_days(call: Call, log: Path) -> None:
    call("prepare", log, "--test-days", "2", "--out", "two")
    call("prepare", log, "--test-days", "4", "--out", "four")
    two, four = (pl.read_parquet(f"{name}/test.parquet")["time"] for name in ("two", "four"))
    assert 1.8 < (two.dt.max() - two.dt.min()).total_seconds() / 86400 <= 2  # type: ignore[operator,union-attr]
    assert set(two) < set(four)


def test_prepare_writes_parts_that_are_disjoint_in_time(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("prepare", log)
    train, test = (pl.read_parquet(tmp_path / "data" / f"{name}.parquet") for name in ("train", "test"))
    assert train["time"].to_numpy().max() < test["time"].to_numpy().min()
    assert (tmp_path / "data" / "rejected.parquet").exists()
    assert "session too short" in said


def test_describe_counts_what_is_there(call: Call, log: Path) -> None:
    said = call("describe", log)
    assert re.search(r"sessions +800, \d+ of a single click", said)
    assert "times      2026-01-01" in said


def test_a_log_of_users_is_cut_into_sessions(call: Call, log: Path, tmp_path: Path) -> None:
    users = pl.read_csv(log).with_columns(visitor=pl.col("session_id") % 50).drop("session_id")
    users.write_csv(tmp_path / "users.csv")
    half_an_hour = call("describe", "users.csv", "--user", "visitor")
    a_year = call("describe", "users.csv", "--user", "visitor", "--gap", str(365 * 24 * 60))
    assert re.search(r"sessions +50,", a_year)
    assert not re.search(r"sessions +50,", half_an_hour)


def test_fit_recommend_evaluate_and_register(call: Call, log: Path) -> None:
    assert "saved in model/" in call("fit", log, "--model", "Markov")
    item = pl.read_csv(log)["item_id"][0]
    assert str(call("recommend", "model", "--items", item, "--k", 3)).count("model") == 3
    call("recommend", "model", log, "--k", 2, "--out", "lists.csv")
    assert pl.read_csv("lists.csv")["session_id"].n_unique() == 800
    call("recommend", "model", log, "--k", 2, "--out", "lists.parquet")
    assert pl.read_parquet("lists.parquet").equals(
        pl.read_csv("lists.csv", schema_overrides=pl.read_parquet_schema("lists.parquet"))
    )
    assert re.search(r"Markov +0\.\d{4} +0\.\d{4}\n", call("evaluate", "model", log, "--k", 10))
    said = call("register", "model", "--name", "shop", "--alias", "champion")
    assert "models:/shop@champion" in said
    assert "0 runs would be removed" in call("prune")


def test_compare_is_demo_without_examples(call: Call, log: Path) -> None:
    said = call("compare", log, *SMALL)
    assert "GRU4Rec" in said
    assert "->" not in said


def test_tune_searches_refits_and_tests_once(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("tune", log, "--model", "ItemKNN", "--trials", 3)
    assert said.count("trial ") == 3
    assert re.search(r"best mrr_at_20 0\.\d{4}", said)
    again = call("tune", log, "--model", "ItemKNN", "--trials", 3)
    assert "trial " not in again
    assert (tmp_path / "model" / "manifest.json").exists()


def test_every_command_has_a_help() -> None:
    for name in app.commands:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.output
