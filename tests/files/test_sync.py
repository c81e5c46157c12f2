"""Saving where folders cannot be opened, as on Windows (simulated)."""

import os
from pathlib import Path

import pytest

import recsys_gru as rg
from pipelines.plumbing import workshop
from recsys_gru.files import sync
from tests.contract.suite import log


@pytest.fixture
def no_folder_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def as_on_windows(path: str | Path, flags: int, *rest: int, **named: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", as_on_windows)


@pytest.mark.usefixtures("no_folder_opens")
def test_models_checkpoints_and_stages_are_saved_all_the_same(tmp_path: Path) -> None:
    rg.Markov().fit(log()).save(tmp_path / "model")
    rg.Markov().fit(log(9)).save(tmp_path / "model")
    assert rg.load(tmp_path / "model").recommend_one([100]).height > 0
    network = rg.GRU4Rec(layers=8, batch_size=8, n_sample=8, n_epochs=1, device="cpu")
    network.fit(log(), checkpoint_dir=tmp_path / "points")
    assert (tmp_path / "points" / "checkpoint").stat().st_size > 0
    workshop.write_whole(tmp_path / "notes" / "current.json", "{}")
    assert (tmp_path / "notes" / "current.json").read_text() == "{}"


def test_a_file_that_may_not_be_opened_is_still_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")

    def refuse(path: str | Path, *_: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        sync(tmp_path / "file")
