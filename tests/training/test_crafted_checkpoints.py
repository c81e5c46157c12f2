"""A checkpoint with the right seal that no run has come to is refused before training believes it."""

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

import recsys_gru as rg
from recsys_gru.errors import CheckpointError
from recsys_gru.training import Checkpoints, Learner, Run

Arrays = dict[str, NDArray[Any]]


@cache
def parts_of_a_log() -> tuple[rg.Sessions, rg.Sessions]:
    """Training and validation sessions, packed once for some two hundred fits."""
    train = rg.Sessions.from_events(rg.generate_clicks(n_sessions=120, n_items=40, seed=3))
    validation = rg.generate_clicks(n_sessions=40, n_items=40, seed=4)
    return train, rg.Sessions.from_events(validation, train.vocabulary)


def fit(folder: Path, stop_after: int | None = None, layers: tuple[int, ...] = (8,)) -> rg.GRU4Rec:
    """A fit with a checkpoint every other update; stopped in its second epoch if so asked."""
    model = rg.GRU4Rec(
        layers=layers, batch_size=8, n_sample=16, n_epochs=2, momentum=0.1, device="cpu",
        checkpoint_dir=folder, checkpoint_every=2, patience=2,
    )  # fmt: skip
    seen, write = [0], Checkpoints.write

    def noted(self: Checkpoints, learner: Learner, run: Run) -> None:
        write(self, learner, run)
        seen[0] += 1
        if seen[0] == stop_after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "write", noted)
        model.fit(*parts_of_a_log())
    return model


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint in the middle of the first epoch."""
    folder = tmp_path_factory.mktemp("checkpoint")
    with pytest.raises(KeyboardInterrupt):
        fit(folder, stop_after=3)
    content = (folder / "checkpoint").read_bytes()
    assert facts_of(content)["position"]["updates"] > 0
    return content


def facts_of(content: bytes) -> dict[str, Any]:
    head = json.loads(content[72 : 72 + int.from_bytes(content[64:72], "little")])
    facts: dict[str, Any] = json.loads(head["__metadata__"]["facts"])
    return facts


def put(folder: Path, arrays: Arrays, facts: dict[str, Any]) -> None:
    payload = bytes_of(
        {name: np.ascontiguousarray(a) for name, a in arrays.items()}, {"facts": json.dumps(facts)}
    )
    (folder / "checkpoint").write_bytes(hashlib.sha256(payload).hexdigest().encode() + payload)


def parts(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    arrays = {name: array.copy() for name, array in tensors_of(content[64:]).items()}
    return arrays, facts_of(content)


def test_the_untouched_checkpoint_goes_on(whole: bytes, tmp_path: Path) -> None:
    put(tmp_path, *parts(whole))
    assert len(fit(tmp_path).history_) == 2


BENT: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "one row": lambda a: a[:1] if len(a) > 1 else a[:0],
    "half": lambda a: a[: len(a) // 2],
    "another type": lambda a: a.astype(np.float64),
    "no numbers": lambda a: np.full_like(a, np.nan),
}


@pytest.mark.parametrize("what", BENT)
def test_every_array_is_looked_at(whole: bytes, tmp_path: Path, what: str) -> None:
    arrays, facts = parts(whole)
    for name in arrays:
        put(tmp_path, {**arrays, name: BENT[what](arrays[name])}, facts)
        with pytest.raises(CheckpointError):
            fit(tmp_path)
        put(tmp_path, {other: array for other, array in arrays.items() if other != name}, facts)
        with pytest.raises(CheckpointError):
            fit(tmp_path)


@pytest.mark.parametrize("change", [-1, 1, 10**6])
@pytest.mark.parametrize("name", ["updates", "steps", "events", "epoch"])
def test_a_position_that_the_epoch_does_not_have_is_refused(
    whole: bytes, tmp_path: Path, name: str, change: int
) -> None:
    arrays, facts = parts(whole)
    facts["position"][name] += change
    put(tmp_path, arrays, facts)
    with pytest.raises(CheckpointError):
        fit(tmp_path)


def test_states_of_fewer_or_more_lanes_than_the_epoch_has_there_are_refused(
    whole: bytes, tmp_path: Path
) -> None:
    arrays, facts = parts(whole)
    state = arrays["state/0"]
    for bent in (state[:-1], np.concatenate([state, state[:1]])):
        put(tmp_path, {**arrays, "state/0": bent}, facts)
        with pytest.raises(CheckpointError):
            fit(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"position": None}, {"position": []}, {"position": {"epoch": 0}}, {"history": None},
        {"history": [1]}, {"history": [{"epoch": 1}]}, {"best_epoch": -1}, {"best_epoch": 5},
        {"best_epoch": "x"}, {"samples": {}},
        {"samples": None}, {"samples": {"bit_generator": "MT19937"}}, {"dropout": {"bit_generator": "PCG64"}},
        {"run": None}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_every_fact_is_looked_at(whole: bytes, tmp_path: Path, change: dict[str, Any]) -> None:
    arrays, facts = parts(whole)
    put(tmp_path, arrays, facts | change)
    with pytest.raises(CheckpointError):
        fit(tmp_path)


def test_what_is_no_file_or_too_large_is_refused(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match="pipe"):
        fit(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match="folder"):
        fit(tmp_path)
    path.rmdir()
    path.symlink_to("nowhere")
    with pytest.raises(CheckpointError):
        fit(tmp_path)
    path.unlink()
    for content in (b"", b"x" * 70, hashlib.sha256(b"").hexdigest().encode(), whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            fit(tmp_path)


def test_a_name_is_a_name(whole: bytes, tmp_path: Path) -> None:
    for name in ("run[1]", "run*", "~"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, *parts(whole))
        assert len(fit(tmp_path / name).history_) == 2


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="No space left"):
        fit(tmp_path)
    assert not list(tmp_path.iterdir())
