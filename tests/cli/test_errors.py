"""What goes wrong on purpose is one clear line and exit code 2, never a traceback."""

from pathlib import Path

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
