"""kill -9 at random moments: what is resumed ends with the bits of a run that never stopped."""

import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys_gru.clicks import generate_clicks
from recsys_gru.recommender import GRU4Rec
from tests.forks import fork_server

KILLS = 20


def fit(checkpoints: Path, folder: Path, ready: Connection) -> None:
    """Train and save on one thread."""
    torch.set_num_threads(1)
    clicks = generate_clicks(n_sessions=3000, n_items=300, seed=3)
    later = generate_clicks(n_sessions=100, n_items=300, seed=4)
    model = GRU4Rec(
        layers=(24, 16), batch_size=16, n_sample=64, n_epochs=4, momentum=0.2, patience=3, device="cpu",
        dropout_p_embed=0.1, dropout_p_hidden=0.1, checkpoint_dir=str(checkpoints), checkpoint_every=4,
    )  # fmt: skip
    ready.send("ready")
    model.fit(clicks, validation=later)
    model.save(folder, metrics=model.history_[-1].metrics | {"loss": model.history_[-1].loss})


def train(checkpoints: Path, folder: Path, kill_after: float | None = None) -> bool:
    """Train in a process of its own, killed so many seconds after it got ready; return whether it ended."""
    server = fork_server()
    here, there = server.Pipe()
    child = server.Process(target=fit, args=(checkpoints, folder, there))
    child.start()
    assert here.recv() == "ready"
    if kill_after is not None:
        time.sleep(kill_after)
        child.kill()
    child.join()
    ended = child.exitcode == 0
    for used in (child, here, there):
        used.close()
    return ended


@pytest.mark.slow
def test_killed_twenty_times_it_ends_with_the_bits_of_an_undisturbed_run(tmp_path: Path) -> None:
    assert train(tmp_path / "calm", tmp_path / "undisturbed")
    began = time.monotonic()
    rng, kills = np.random.default_rng(11), 0
    while kills < KILLS:
        (tmp_path / "stormy").mkdir(exist_ok=True)
        if train(tmp_path / "stormy", tmp_path / "resumed", kill_after=float(rng.uniform(0.02, 0.45))):
            # it got to its end between two kills: take its checkpoint away and begin another run
            assert_same_files(tmp_path / "undisturbed", tmp_path / "resumed")
            (tmp_path / "stormy" / "checkpoint").unlink()
        kills += 1
    while not train(tmp_path / "stormy", tmp_path / "resumed"):
        assert time.monotonic() - began < 300
    assert_same_files(tmp_path / "undisturbed", tmp_path / "resumed")
    assert GRU4Rec.load(tmp_path / "resumed").recommend_one([1], k=3).height == 3


def assert_same_files(one: Path, other: Path) -> None:
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (one, other)]
    assert weights[0] == weights[1]
    figures = [GRU4Rec.load(folder).parameters() | {"checkpoint_dir": None} for folder in (one, other)]
    assert figures[0] == figures[1]
