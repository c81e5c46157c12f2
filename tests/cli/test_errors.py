"""What goes wrong on purpose is one clear line and exit code 2, never a traceback."""

from pathlib import Path

import polars as pl
import pytest

from recsys_gru.baselines import Markov
from recsys_gru.cli.recommending import _formulas
from tests.cli.conftest import Call


def test_a_log_that_is_not_there(refused: Call) -> None:
    assert "nowhere.csv" in refused("describe", "nowhere.csv")


def test_a_column_that_is_not_there(refused: Call, log: Path) -> None:
    said = refused("describe", log, "--item", "sku")
    assert "sku" in said
    assert "item_id" in said


def test_a_parameter_the_model_does_not_have(refused: Call, log: Path) -> None:
    assert "n_units" in refused("fit", log, "--param", "n_units=3")


def test_a_parameter_without_a_value(refused: Call, log: Path) -> None:
    assert "name=value" in refused("fit", log, "--param", "layers")


def test_a_folder_without_a_model(refused: Call, tmp_path: Path) -> None:
    assert "nothing" in refused("verify", tmp_path / "nothing")


def test_neither_log_nor_items_to_recommend_for(refused: Call) -> None:
    assert "model" in refused("recommend", "model", "--items", "1")


def test_an_unwritable_folder(refused: Call, log: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("taken")
    assert "file" in refused("prepare", log, "--out", tmp_path / "file" / "data")


def test_an_option_that_does_not_exist(refused: Call) -> None:
    assert "No such option" in refused("fit", "--epochs", "3")


def test_a_run_without_a_rank_ledger(refused: Call) -> None:
    said = refused("compare", "GRU4Rec", "Markov")
    assert "'GRU4Rec'" in said
    assert "ranks.parquet" in said


def test_a_server_that_does_not_answer(refused: Call) -> None:
    assert "no MLflow server answers" in refused("prune", "--tracking-uri", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit", "--tracking-uri", ""), "--tracking-uri as a path, got ''"),
        (("fit", "--tracking-uri", "file:///tmp/runs"), "expected a folder or the URI of a server"),
        (("tune", "--model", "Markov"), "no hyper-parameter left to search"),
        (("tune", "--study", " "), "study"),
    ],
)
def test_what_cannot_be_is_refused_before_the_log_is_read(
    refused: Call, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "log.csv").write_text("no,click,log\n")
    command, *options = words
    assert said in refused(command, tmp_path / "log.csv", *options)


@pytest.mark.parametrize(
    "options",
    [
        ("describe", "--gap", "nan"), ("describe", "--gap", "inf"), ("describe", "--gap", "-1"),
        ("describe", "--gap", "0"), ("describe", "--gap", "1e300"), ("prepare", "--test-days", "1e300"),
        ("prepare", "--test-days", "nan"), ("prepare", "--test-days", "-1"),
        ("prepare", "--min-support", "-1"),
        ("prepare", "--min-length", "99999999999999999999"), ("compare", "--test-days", "1e300"),
        ("demo", "--test-days", "inf"), ("tune", "--trials", "0"), ("tune", "--seed", "-1"),
        ("tune", "--test-days", "nan"),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be(refused: Call, log: Path, options: tuple[str, ...]) -> None:
    command, option, value = options
    said = refused(command, log, option, value)
    assert option in said
    assert len([line for line in said.splitlines() if "Error" in line]) == 1


@pytest.mark.parametrize(
    "call",
    [("prune", "--keep-days", "99999999999"), ("prune", "--keep-days", "-1"),
     ("dashboard", "--port", "99999999"), ("dashboard", "--port", "0"), ("dashboard", "--port", "x")],
)  # fmt: skip
def test_days_and_ports_that_cannot_be(refused: Call, call: tuple[str, ...]) -> None:
    assert call[1] in refused(*call)


@pytest.fixture
def model(log: Path, tmp_path: Path) -> Path:
    Markov().fit(log).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("items", ["--1", "²", "", "1,,2", "abc", "1.5", "9" * 30])
def test_items_that_are_no_ids_of_the_model(refused: Call, model: Path, items: str) -> None:
    assert "whole numbers" in refused("recommend", model, f"--items={items}")


def test_lists_that_cannot_be_written(refused: Call, model: Path, log: Path) -> None:
    for place in ("nowhere/x.csv", "nowhere/x.parquet", "model", ""):
        said = refused("recommend", model, log, "--out", place)
        assert "cannot write" in said
        assert len(said.splitlines()) == 1


def test_any_other_refusal_of_the_system(
    refused: Call, model: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    assert refused("recommend", model, log, "--out", "x.csv").splitlines() == [
        "recsys-gru: [Errno 28] No space left on device"
    ]


def test_ids_that_spreadsheets_run_are_told_of_and_written_as_they_are(call: Call, tmp_path: Path) -> None:
    ids = pl.Series(["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "a=1", "1"])
    clicks = pl.DataFrame({"session_id": 1, "item_id": ids, "time": range(7)})
    clicks = clicks.with_columns(
        pl.from_epoch("time").dt.replace_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    )
    Markov().fit(clicks).save("model")
    clicks.write_parquet("log.parquet")
    call("recommend", "model", "log.parquet", "--seen", "--out", "x[1].csv")
    written = pl.read_csv((tmp_path / "x[1].csv").read_bytes())
    assert set(written["item_id"]) == set(ids.str.strip_chars())
    assert _formulas(written) == 5
    assert _formulas(written.with_columns(item_id=pl.lit(-5))) == 0


def test_two_things_to_recommend_for_are_one_too_many(refused: Call, log: Path, tmp_path: Path) -> None:
    said = refused("recommend", tmp_path, log, "--items", "1")
    assert "got both" in said


def test_the_ending_of_the_answers_file_says_its_format(refused: Call, log: Path, tmp_path: Path) -> None:
    said = refused("recommend", tmp_path, log, "--out", tmp_path / "answers.xlsx")
    assert ".csv or .parquet" in said


def test_a_cut_that_leaves_nothing_to_learn_from(refused: Call, log: Path) -> None:
    assert "whether the cut left any" in refused("fit", log, "--model", "Markov", "--test-days", "500")


def test_preparing_into_the_folder_one_stands_in(
    refused: Call, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.txt").write_text("mine")
    assert "holds other files" in refused("prepare", log, "--out", ".")
    assert (tmp_path / "own.txt").read_text() == "mine"
