"""--param: what a model takes, as any file of settings writes it; what not, before the log is read."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Call

QUICK = (*SMALL[2:], "--param", "n_epochs=1", "--min-support", "1")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["false", "False", "FALSE", "0"])
def test_false_is_false_in_any_case(text: str, call: Call, log: Path, tmp_path: Path) -> None:
    call("fit", log, *QUICK, "--param", f"constrained_embedding={text}", "--out", "model")
    said = json.loads((tmp_path / "model" / "manifest.json").read_text())["parameters"]
    assert said["constrained_embedding"] is False


@pytest.mark.slow
def test_a_lone_layer_and_a_folder_of_digits_are_taken(call: Call, log: Path, tmp_path: Path) -> None:
    call(
        "fit",
        log,
        *QUICK[2:],
        "--param",
        "layers=8",
        "--param",
        "checkpoint_dir=2026",
        "--param",
        "patience=none",
    )
    said = json.loads((tmp_path / "model" / "manifest.json").read_text())["parameters"]
    assert (said["layers"], said["checkpoint_dir"], said["patience"]) == ([8], "2026", None)
    assert (tmp_path / "2026" / "checkpoint").exists()


@pytest.mark.parametrize(
    ("command", "text", "says"),
    [
        ("fit", "layer=8", "did you mean layers"),
        ("tune", "n_epoch=3", "did you mean n_epochs"),
        ("compare", "layer=8", "did you mean layers"),
        ("demo", "layer=8", "did you mean layers"),
        ("fit", "layers=0", "layers must be sizes above 0"),
        ("fit", "layers=eight", "expected layers as a list of whole numbers"),
        ("fit", "constrained_embedding=nope", "expected constrained_embedding as True or False"),
        ("fit", "logq=much", "expected logq as a number"),
        ("fit", "loss=5", "loss must be one of"),
        ("fit", "loss=none", "expected loss as text"),
        ("fit", "device=abacus", "device must be"),
        ("fit", "batch_size=1e400", "expected batch_size as a whole number"),
        ("fit", "=8", "name=value"),
        ("fit", "layers", "name=value"),
    ],
)
def test_what_a_model_does_not_take_is_said_before_the_log_is_read(
    command: str, text: str, says: str, refused: Call
) -> None:
    Path("no.csv").touch()  # there, but with nothing to read
    assert says in refused(command, "no.csv", "--param", text)


def test_a_name_given_twice_is_refused(refused: Call) -> None:
    Path("no.csv").touch()
    assert "layers twice" in refused("fit", "no.csv", "--param", "layers=8", "--param", "layers=9")


def test_parameters_of_any_model_are_looked_at(refused: Call) -> None:
    Path("no.csv").touch()
    assert "expected neighbors" in refused("fit", "no.csv", "--model", "VSKNN", "--param", "neighbors=0")
    assert "Markov has no parameter" in refused("fit", "no.csv", "--model", "Markov", "--param", "reach=1")
    assert "--trials" in refused("tune", "no.csv", "--trials", "0")
