"""Training in several processes: the exact way is the trajectory of one; whoever dies, nothing is lost."""

import os
import signal
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
import pytest
import torch
import torch.distributed as dist
from numpy.typing import NDArray

import recsys_gru as rg
from recsys_gru.errors import BundleError, CheckpointError, NotFittedError, ParameterError
from recsys_gru.recommender import GRU4Rec
from recsys_gru.training import (
    Checkpoints,
    Exchange,
    Learner,
    Parallel,
    Run,
    Settings,
    TrainingData,
    parallel,
)
from recsys_gru.training import together as company
from tests.forks import fork_server

Fitted = dict[str, NDArray[Any]]
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
"""What the exact way may differ by; most settings have the bits of one process."""
EXACT: dict[str, dict[str, Any]] = {
    "published": {"loss": "bpr-max", "momentum": 0.2, "dropout_p_embed": 0.2, "dropout_p_hidden": 0.1},
    "several": {"layers": (8, 6), "cell": "lstm", "constrained_embedding": False, "optimizer": "adam",
                "grad_clip": 1.0, "dropout_p_hidden": 0.1, "steps_per_update": 3},
    "read out": {"look_back": 2, "repeats": 2, "scale": 8.0, "steps_per_update": 2},
    "told": {"context": ("gap",)},
}  # fmt: skip
DIVIDED: dict[str, dict[str, Any]] = {
    "published": EXACT["published"],
    "several": EXACT["several"] | {"weight_decay": 1e-3},
    "read out": EXACT["read out"] | {"context": ("gap",)},
    "one-hot": {"constrained_embedding": False, "loss": "top1-max", "batch_size": 3, "n_sample": 0},
}
"""What is tried with divided tables, too."""
FAST: dict[str, Any] = {"batch_size": 4, "n_epochs": 3, "repeats": 2, "context": ("gap",)}


@cache
def clicks() -> pl.DataFrame:
    """A log of which the last lanes are fewer than four."""
    return rg.generate_clicks(n_sessions=250, n_items=40, seed=3)


@cache
def facts() -> pl.DataFrame:
    return pl.DataFrame({"item_id": range(1, 41), "kind": [f"k{i % 5}" for i in range(40)]})


def fitted(own: dict[str, Any], parallel: Parallel | None = None, **how: Any) -> Fitted:  # noqa: ANN401
    """Weights and losses of a small model; facts are known where context is."""
    return told_by(fit(own, parallel, facts() if "context" in own else None, **how))


def fit(
    own: dict[str, Any],
    parallel: Parallel | None = None,
    items: pl.DataFrame | None = None,
    **how: Any,  # noqa: ANN401
) -> GRU4Rec:
    """A small model."""
    usual: dict[str, Any] = {
        "layers": (12,),
        "batch_size": 16,
        "n_sample": 16,
        "n_epochs": 2,
        "device": "cpu",
    }
    return GRU4Rec(**usual | own).fit(clicks(), items=items, parallel=parallel, **how)


def told_by(model: GRU4Rec) -> Fitted:
    """Its weights and losses."""
    found = {name: values.numpy().copy() for name, values in model.network_.parameters()}
    return found | {"losses": np.array([epoch.loss for epoch in model.history_])}


def side(rank: int, size: int, store: Path, told: Connection, work: Callable[[], Any]) -> None:
    """One process of some, which tells what came of its work."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    told.send(work())
    dist.destroy_process_group()


def together(size: int, store: Path, work: Callable[[], Any]) -> list[Any]:
    """What each of some processes tells; None of one that died."""
    server = fork_server()
    pipes = [server.Pipe(duplex=False) for _ in range(size)]
    children = [
        server.Process(target=side, args=(rank, size, store, there, work))
        for rank, (_, there) in enumerate(pipes)
    ]
    for child, (_, there) in zip(children, pipes, strict=True):
        child.start()
        there.close()
    found = []
    for here, _ in pipes:
        try:
            found.append(here.recv())
        except EOFError:
            found.append(None)
    for child in children:
        child.join(60)
        assert child.exitcode is not None, "it waits for one that has died"
    return found


def each_way(folder: Path) -> dict[str, Fitted]:
    """Each setting in the exact way, and the fast way; and what those with divided tables save."""
    meet_often()
    for name, own in DIVIDED.items():
        fit(own, "divided").save(folder / name)
    return {name: fitted(own, "exact") for name, own in EXACT.items()} | {"fast": fitted(FAST, "fast")}


def meet_often() -> None:
    """In the middle of a small log's epoch."""
    parallel.SELDOM = 1


def killed(folder: Path, way: Parallel, own: dict[str, Any]) -> None:
    """A fit whose second process dies after the third checkpoint."""
    meet_often()
    written, write = [0], Checkpoints.write

    def noted(self: Checkpoints, learner: Learner, run: Run) -> None:
        write(self, learner, run)
        written[0] += 1
        if dist.get_rank() and written[0] == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    Checkpoints.write = noted  # type: ignore[method-assign] # this process ends here
    with pytest.raises(RuntimeError):  # gloo: the other one is gone
        fitted(own, way, checkpoint_dir=folder, checkpoint_every=16)


def resumed(folder: Path) -> Fitted:
    meet_often()
    return fitted(FAST, "fast", checkpoint_dir=folder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes save what they have learned with divided tables."""
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory, saved: Path) -> list[dict[str, Fitted]]:
    return together(2, tmp_path_factory.mktemp("two") / "store", partial(each_way, saved))


@pytest.mark.parametrize("name", EXACT)
def test_two_processes_learn_exactly_what_one_does(name: str, of_two: list[dict[str, Fitted]]) -> None:
    alone = fitted(EXACT[name])
    for found in of_two:
        for parameter, values in alone.items():
            np.testing.assert_allclose(found[name][parameter], values, err_msg=parameter, **CLOSE)
    require_alike([found[name] for found in of_two])


def test_four_processes_do_where_there_are_fewer_lanes_as_well(tmp_path: Path) -> None:
    own = EXACT["published"]
    of_four = together(4, tmp_path / "store", partial(exact_and_divided, own, tmp_path))
    require_alike([found for found, _ in of_four])
    alone = fit(own)
    for parameter, values in told_by(alone).items():
        np.testing.assert_allclose(of_four[3][0][parameter], values, err_msg=parameter, **CLOSE)
    require_close(tmp_path / "divided", alone)
    assert all("the item tables of this model are divided" in said for _, said in of_four)


def exact_and_divided(own: dict[str, Any], folder: Path) -> tuple[Fitted, str]:
    """What is learned in the exact way, and how the one with divided tables refuses to rank."""
    parts = fit(own, "divided")
    with pytest.raises(ParameterError, match="a validation log cannot be ranked where item tables"):
        fit(own, "divided", validation=clicks())
    with pytest.raises(NotFittedError) as refused:
        parts.recommend(clicks())
    with pytest.raises(BundleError, match="cannot write" if dist.get_rank() == 0 else "could not save"):
        parts.save("/dev/null/folder")
    parts.save(folder / "divided")
    return fitted(own, "exact"), str(refused.value)


@pytest.mark.usefixtures("of_two")
@pytest.mark.parametrize("name", DIVIDED)
def test_two_processes_with_divided_tables_save_what_one_learns(name: str, saved: Path) -> None:
    require_close(saved / name, fit(DIVIDED[name]))


def test_one_process_that_could_divide_its_tables_has_them_whole(tmp_path: Path) -> None:
    own = EXACT["several"]
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        found = fitted(own, "divided")
    finally:
        dist.destroy_process_group()
    for parameter, values in fitted(own).items():
        np.testing.assert_allclose(found[parameter], values, err_msg=parameter, **CLOSE)


def require_close(folder: Path, alone: GRU4Rec) -> None:
    """A model saved by several processes has the arrays of this one, the optimiser's memory too."""
    found: Fitted = GRU4Rec.load(folder)._state()
    wanted: Fitted = alone._state()
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, err_msg=name, **CLOSE)


def test_two_processes_that_meet_learn_as_well_and_have_the_same_bytes(
    of_two: list[dict[str, Fitted]],
) -> None:
    require_alike([found["fast"] for found in of_two])
    alone = fitted(FAST)
    assert of_two[0]["fast"]["losses"] == pytest.approx(alone["losses"], rel=0.05)
    assert not np.array_equal(of_two[0]["fast"]["output"], alone["output"])


def test_one_that_dies_ends_all_and_the_fast_way_goes_on_to_the_same_bytes(
    of_two: list[dict[str, Fitted]], tmp_path: Path
) -> None:
    work = partial(killed, tmp_path / "checkpoints", "fast", FAST)
    assert together(2, tmp_path / "first", work) == [None, None]
    again = together(2, tmp_path / "second", partial(resumed, tmp_path / "checkpoints"))
    require_alike([of_two[0]["fast"], *again])
    with pytest.raises(CheckpointError, match="belongs to a run with other data or parameters"):
        fitted(FAST, checkpoint_dir=tmp_path / "checkpoints")


def stopping(rank: int, port: int, told: Connection) -> None:
    """One process of two, of which the second one stops and does not end."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with company(timedelta(seconds=3)) as exchange:
        exchange.any(True)
        if rank == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        with pytest.raises(RuntimeError, match="Timed out") as refused:
            exchange.any(True)
        told.send(str(refused.value))


def test_one_that_hangs_does_not_hold_the_other_beyond_its_patience() -> None:
    server = fork_server()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    here, there = server.Pipe(duplex=False)
    first, second = (server.Process(target=stopping, args=(rank, port, there)) for rank in (0, 1))
    first.start()
    second.start()
    try:
        assert here.poll(300)
        assert psutil.Process(second.pid).status() == psutil.STATUS_STOPPED
        first.join(60)
        assert first.exitcode == 0
    finally:
        second.kill()
        second.join(60)


def test_the_exact_way_goes_on_in_one_process(tmp_path: Path) -> None:
    own = EXACT["published"]
    assert together(2, tmp_path / "first", partial(killed, tmp_path, "exact", own)) == [None, None]
    found = fitted(own, checkpoint_dir=tmp_path)
    for parameter, values in fitted(own).items():
        np.testing.assert_allclose(found[parameter], values, err_msg=parameter, **CLOSE)


def require_alike(found: list[Fitted]) -> None:
    """The same bytes everywhere."""
    for name, values in found[0].items():
        assert all(np.array_equal(values, other[name]) for other in found), name


def test_what_cannot_be_is_refused_in_words() -> None:
    model = GRU4Rec(layers=(4,), n_epochs=1, device="cpu")
    with pytest.raises(ParameterError, match="parallel needs a group of processes"):
        model.fit(clicks(), parallel="fast")
    with pytest.raises(ParameterError, match="parallel must be exact, fast, divided or None, not 'quick'"):
        model.fit(clicks(), parallel="quick")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "items", "said"),
    [
        ({"loss": "softmax"}, None, "softmax scores every item"),
        ({"checkpoint_dir": "checkpoints"}, None, "checkpoints are not divided"),
        ({}, facts(), "facts about items are not divided"),
    ],
)
def test_what_cannot_be_divided_is_refused_in_words(
    own: dict[str, Any], items: pl.DataFrame | None, said: str
) -> None:
    with pytest.raises(ParameterError, match=f"{said}.*What to do"):
        fit(own, "divided", items)


def test_the_fast_way_needs_the_compiled_loop() -> None:
    learner = Settings(optimizer="adam").learner(np.ones(5), 2, torch.device("cpu"))
    data = TrainingData(np.zeros(4, np.int32), np.array([0, 4]))
    with pytest.raises(ParameterError, match="parallel='fast' needs what the compiled loop trains"):
        parallel.Fast(learner, data, Exchange())
