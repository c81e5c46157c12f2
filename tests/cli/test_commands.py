"""The commands do on a small log what they say, one after the other as a person would call them."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from mlflow.entities import Run as MlflowRun

from recsys_gru import ItemKNN, Markov
from recsys_gru.cli.app import app
from recsys_gru.cli.calling import program
from recsys_gru.clicks import check_clicks, read_clicks
from recsys_gru.preparation import read_prepared
from recsys_gru.sessions import Sessions, filter_sessions, split_by_time
from tests.cli.conftest import SMALL, Call
from tests.tracking.helpers import client_of, runs_of, short_name


def test_demo_tells_the_whole_story(call: Call, log: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "mlruns")  # it makes the store
    said = call("demo", log, *SMALL)
    clicks = len(log.read_text().splitlines()) - 1
    assert f"{clicks:,} read, {clicks:,} kept, 0 rejected" in said
    assert re.search(r"split +test: sessions from 2026-01-0\d 00:00 UTC", said)
    assert re.search(r"epoch +2/2 +loss \d+\.\d{4} +[\d,]+ events/s .* 0 s left", said)
    rules = re.findall(r"^(.+?)(?:  +[-\d,]+){6}$", said, re.MULTILINE)
    assert len(rules) == len(set(rules)) >= 3, rules
    models = {"GRU4Rec", "Popularity", "Markov", "ItemKNN", "VSKNN", "Blend"}
    for model in models:
        assert re.search(rf"^{model}( +0\.\d{{4}} / 0\.\d{{4}}){{4}}$", said, re.MULTILINE)
        assert re.search(rf"^{model}( +0\.\d{{4}}){{4}}$", said, re.MULTILINE), "recall and MRR at 5 and 10"
    assert said.count("recall@20 /") == 1
    assert "after the cut, session began before" not in said
    assert len(re.findall(r"^  .*  ->  .*next", said, re.MULTILINE)) == 5
    assert "recsys-gru dashboard" in said
    assert "<h1>Blend on shop</h1>" in (tmp_path / "demo" / "report.html").read_text()
    assert "report     demo/report.html" in said
    assert (tmp_path / "demo" / "model" / "manifest.json").exists()
    runs = runs_of(tmp_path / "mlruns")
    assert set(runs) == {"compare shop", *models}
    gru = runs["GRU4Rec"].data
    assert {"train/loss", "valid/mrr_at_20", "test/mrr_at_20", "test_interval/mrr_at_20_low"} <= set(
        gru.metrics
    )
    assert gru.params["n_sample"] == "16"
    assert list((tmp_path / "mlruns" / "artifacts" / runs["GRU4Rec"].info.run_id).rglob("report.html"))
    assert "| GRU4Rec |" in runs["compare shop"].data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("called", "on_path", "expected"),
    [
        (".venv/bin/recsys-gru", "", ".venv/bin/recsys-gru"),
        (".venv/bin/recsys-gru", ".venv/bin", "recsys-gru"),
        ("-c", "", "recsys-gru"),
    ],
)
def test_what_is_printed_to_be_typed_works_where_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, on_path: str, expected: str
) -> None:
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("recsys-gru", "mlflow"):
        (folder / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setenv("PATH", str(tmp_path / on_path) if on_path else "")
    assert program() == expected
    assert program("mlflow") == expected.replace("recsys-gru", "mlflow")


def test_the_test_part_follows_test_days(call: Call, log: Path) -> None:
    call("prepare", log, "--test-days", "2", "--out", "two")
    call("prepare", log, "--test-days", "4", "--out", "four")
    two, four = (read_prepared(name).test.events()["time"] for name in ("two", "four"))
    assert 1.8 < (two.dt.max() - two.dt.min()).total_seconds() / 86400 <= 2  # type: ignore[operator,union-attr]
    assert set(two) < set(four)


def test_prepare_writes_parts_that_are_disjoint_in_time(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("prepare", log)
    prepared = read_prepared(tmp_path / "data")
    assert prepared.train.times.max() < prepared.test.times.min()
    assert "session too short" in said
    assert f"rows       {prepared.counts['read']:,} read, {prepared.counts['train']:,} train" in said
    kept = prepared.counts["train"] + prepared.counts["test"]
    rejected = pl.read_parquet(tmp_path / "data" / "quarantine" / "*.parquet")
    assert kept + rejected.height == prepared.counts["read"]


def test_prepare_gives_what_the_steps_give_and_the_split_doctor_looks(call: Call, log: Path) -> None:
    said = call("prepare", log, "--test-days", "2", "--min-support", "3", "--out", "a", "--doctor")
    train, test = split_by_time(check_clicks(read_clicks(log)).clicks, timedelta(days=2))
    packed = Sessions.from_events(filter_sessions(train, min_support=3))
    prepared = read_prepared("a")
    assert prepared.train.fingerprint() == packed.fingerprint()
    assert prepared.test.fingerprint() == Sessions.from_events(test, packed.vocabulary).fingerprint()
    assert re.search(r"time overlap +0\n", said)


def test_prepare_tells_how_far_it_is_on_stderr(log: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["prepare", str(log), "--out", str(tmp_path / "data")])
    assert ran.exit_code == 0
    for stage in ("check", "fixed point", "filter", "pack train", "pack test"):
        assert re.search(rf"^{stage} +(\d+) of \1$", ran.stderr, re.MULTILINE), ran.stderr


def test_describe_draws_the_log_as_a_page(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("describe", log, "--out", "page")
    page = (tmp_path / "page" / "log.html").read_text()
    assert "<h1>shop</h1>" in page
    assert (tmp_path / "page" / "log.png").read_bytes().startswith(b"\x89PNG")
    assert "written    page/log.html, page/log.png" in said


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
    assert re.search(r"Markov +0\.\d{4} / 0\.\d{4} ", call("evaluate", "model", log, "--k", 10))
    said = call("register", "model", "--name", "shop", "--alias", "champion", "--threads", 1)
    assert "models:/shop@champion" in said
    assert "0 runs would be removed" in call("prune")


def test_two_tracked_runs_are_compared_by_name_from_their_ledgers(
    call: Call, log: Path, tmp_path: Path
) -> None:
    call("fit", log, "--model", "Markov", "--out", "markov")
    call("fit", log, "--model", "Popularity", "--out", "popularity")
    for folder in ("markov", "popularity"):
        call("evaluate", folder, log)
    said = call("compare", "Popularity", "Markov", "--out", "pictures/pair.png")
    found = re.search(
        r"^recall@20 +(0\.\d+) +(0\.\d+) +\+(0\.\d+) +\+0\.\d+ +\+0\.\d+ +0\.\d+ +0\.\d+$", said, re.MULTILINE
    )
    assert found is not None, said
    a, b, difference = map(float, found.groups())
    assert b - a == pytest.approx(difference, abs=2e-4)
    metrics = {name: run.data.metrics for name, run in evaluated(tmp_path).items()}
    assert (a, b) == tuple(round(metrics[name]["test/recall_at_20"], 4) for name in ("Popularity", "Markov"))
    assert "only A: 0, only B: 0" in said
    assert (tmp_path / "pictures" / "pair.png").read_bytes().startswith(b"\x89PNG")


def test_an_evaluated_run_has_the_page_the_ledger_and_the_pictures(
    call: Call, log: Path, tmp_path: Path
) -> None:
    call("fit", log, "--model", "Markov")
    call("evaluate", "model", log)
    run = evaluated(tmp_path)["Markov"]
    files = {file.path for file in client_of(tmp_path / "mlruns").list_artifacts(run.info.run_id)}
    assert files >= {"report.html", "report.json", "ranks.parquet", "recall_curve.png", "slices.png"}


def roles(folder: Path, role: str) -> list[MlflowRun]:
    """The runs of a role."""
    return list(client_of(folder / "mlruns").search_runs(["1"], f"tags.role = '{role}'"))


def evaluated(folder: Path) -> dict[str, MlflowRun]:
    """The evaluated runs by name."""
    runs = client_of(folder / "mlruns").search_runs(["1"], "tags.test.ties = 'conservative'")
    return {short_name(run): run for run in runs}


def test_compare_is_demo_without_examples(call: Call, log: Path) -> None:
    said = call("compare", log, *SMALL)
    assert "GRU4Rec" in said
    assert "->" not in said


def test_tune_searches_refits_and_tests_once(call: Call, log: Path, tmp_path: Path) -> None:
    said = call("tune", log, "--model", "ItemKNN", "--trials", 3)
    assert said.count("trial ") == 3
    trials, best = roles(tmp_path, "trial"), roles(tmp_path, "model")
    assert len(trials) == 3
    for run in [*trials, *best]:
        tested = {name for name in run.data.metrics if name.startswith(("test/", "test_interval/"))}
        assert bool(tested) == (run in best), "the test part is scored once, at the end"
    assert all("valid/mrr_at_20" in run.data.metrics for run in trials)
    assert {"test/mrr_at_20", "test_interval/mrr_at_20_low"} <= set(best[0].data.metrics)
    assert re.search(r"best mrr_at_20 0\.\d{4}", said)
    again = call("tune", log, "--model", "ItemKNN", "--trials", 3)
    assert "trial " not in again
    (parent,) = roles(tmp_path, "parent")
    runs = [*roles(tmp_path, "trial"), *roles(tmp_path, "model")]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert parent.info.status == "FINISHED"
    assert (tmp_path / "model" / "manifest.json").exists()


def test_every_command_has_a_help() -> None:
    for name in app.commands:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.output


def test_a_prepared_folder_is_a_log_for_fit_evaluate_and_compare(
    call: Call, refused: Call, log: Path, tmp_path: Path
) -> None:
    said = call("prepare", log, "--test-days", "2", "--out", "shop")
    prepared = read_prepared(tmp_path / "shop")
    left = re.search(r"^set aside for the test \(--test-days\) +([\d,]+) ", said, re.MULTILINE)
    assert left is not None
    assert left[1] == f"{prepared.counts['train']:,}"
    call("fit", "shop", "--model", "Markov", "--out", "model")
    assert Markov.load("model").fingerprint_ == prepared.train.fingerprint()
    said = call("evaluate", "model", "shop")
    assert f"of {(prepared.test.lengths > 1).sum():,} sessions" in said
    said = call("compare", "shop", *SMALL)
    assert re.search(r"^set aside for validation ", said, re.MULTILINE)
    assert f"test       {prepared.test.n_sessions:,} sessions" in said
    assert "cut already" in refused("compare", "shop", "--test-days", "1")
    assert "prepared log" in refused("describe", "shop")


def test_a_prepared_folder_is_a_log_for_tune_which_learns_all_of_its_training_part_in_the_end(
    call: Call, refused: Call, log: Path, tmp_path: Path
) -> None:
    call("prepare", log, "--test-days", "2", "--out", "shop")
    prepared = read_prepared(tmp_path / "shop")
    said = call("tune", "shop", "--verify", "--model", "ItemKNN", "--trials", 2, "--out", "best")
    assert "every file is as it was written" in said
    assert re.search(r"^set aside for validation ", said, re.MULTILINE)
    assert ItemKNN.load(tmp_path / "best").fingerprint_ == prepared.train.fingerprint()
    assert f"of {(prepared.test.lengths > 1).sum():,} sessions" in said
    assert "cut already" in refused("tune", "shop", "--test-days", "1")


def test_one_changed_bit_of_a_prepared_folder_is_seen_where_one_asks(
    call: Call, refused: Call, log: Path, tmp_path: Path
) -> None:
    call("prepare", log, "--test-days", "2", "--out", "shop")
    call("fit", "shop", "--verify", "--model", "Markov", "--out", "model")
    times = tmp_path / "shop" / "train" / "times.npy"
    content = bytearray(times.read_bytes())
    content[-8] ^= 1
    times.write_bytes(content)
    call("fit", "shop", "--model", "Markov", "--out", "model")
    for command in (("fit",), ("evaluate", "model"), ("compare",), ("tune",)):
        assert "times.npy" in refused(*command, "shop", "--verify")
    assert "recsys-gru prepare" in refused("fit", log, "--verify")


def test_how_a_log_is_read_is_said_on_the_command_line(call: Call, refused: Call, tmp_path: Path) -> None:
    rows = [f"{s % 5},{s % 7},01.03.2026 {s // 60 + 9:02d}:{s % 60:02d},{s}" for s in range(200)]
    (tmp_path / "shop.csv").write_text("session_id,item_id,when,nr\n" + "\n".join(rows) + "\n")
    reading = ("--time", "when", "--time-format", "%d.%m.%Y %H:%M", "--time-zone", "Europe/Berlin")
    said = call("describe", "shop.csv", *reading, "--ids", "text", "--order", "nr")
    assert "2026-03-01 08:00 to" in said
    assert "200 read, 200 kept" in said
    said = call("describe", "shop.csv", *reading, "--user", "session_id", "--gap", "4")
    assert "sessions   200" in said
    assert "did you mean Europe/Berlin" in refused(
        "describe", "shop.csv", *reading, "--time-zone", "Europe/Berln"
    )
