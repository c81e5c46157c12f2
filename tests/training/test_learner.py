"""Whole epochs of updates against the float64 oracle, the tail with fewer lanes included."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numba.core import event
from numpy.typing import NDArray

from recsys_gru.errors import DivergedError
from recsys_gru.model.walk import Flow
from recsys_gru.training import Learner, Position, Settings, TrainingData, end_epoch, train_epoch
from recsys_gru.training.compiled import CompiledLearner
from recsys_gru.training.lanes import Window
from tests.oracle_gru4rec import Oracle, lane_steps
from tests.threads import torch_threads

N_ITEMS, N_LANES = 20, 4
SETTINGS = Settings(layers=(6,), batch_size=N_LANES, n_sample=5, learning_rate=0.1, logq=1.0, n_epochs=1)


def log(seed: int = 1) -> tuple[TrainingData, list[int]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 7, 15).tolist()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return TrainingData(rng.integers(0, N_ITEMS, offsets[-1]).astype(np.int32), offsets), lengths


def train_alike(
    compiled: Learner, plain: Learner, settings: Settings, data: TrainingData | None = None
) -> None:
    """Train two learners that begin alike, one of them by its separate calls: they agree to the bit."""
    assert isinstance(compiled, CompiledLearner)
    plain = Learner(**vars(plain))
    at, there = Position(), Position()
    with np.errstate(over="ignore"):  # as plain Python, the hashes of dropout masks say that they wrap round
        for learner, position in ((compiled, at), (plain, there)):
            list(train_epoch(learner, data or log()[0], settings, position, pause=5))
    assert at.loss == pytest.approx(there.loss, rel=1e-6)
    assert (at.updates, at.events, at.steps) == (there.updates, there.events, there.steps)
    for (name, found), (_, expected) in zip(
        compiled.network.parameters(), plain.network.parameters(), strict=True
    ):
        assert torch.equal(found, expected), name
        for slot, values in compiled.optimiser.slots[name].items():
            assert torch.equal(values, plain.optimiser.slots[name][slot]), (name, slot)
    assert all(map(torch.equal, compiled.states, plain.states))


def learner_of(settings: Settings) -> Learner:
    support = np.maximum(np.bincount(log()[0].items, minlength=N_ITEMS), 1)
    return settings.learner(support, N_LANES, torch.device("cpu"))


def windows_of(settings: Settings) -> list[Window]:
    stretches = settings.lanes(log()[0].offsets).stretches(settings.steps_per_update, 2)
    return [window for stretch in stretches for window in stretch]


def learn(learner: Learner, window: Window, data: TrainingData | None = None) -> float:
    ((rows, flow),) = learner.plan(data or log()[0], [window])
    return learner.update(rows, flow)


def require_gradients(
    learner_of: Callable[[], Learner], learn: Callable[[Learner], float], rate: float, only: str
) -> None:
    """A plain SGD step of this rate moves each parameter by -rate times its gradient: the loss falls by what
    that says of the parameters whose names begin with `only`."""
    moved, start, again = learner_of(), learner_of(), learner_of()
    loss_before = learn(moved)
    pairs = zip(moved.network.parameters(), start.network.parameters(), strict=True)
    moves = {name: now - then for (name, now), (_, then) in pairs if name.startswith(only)}
    norm = sum(float((move / rate).pow(2).sum()) for move in moves.values())
    assert norm > 0
    for name, values in again.network.parameters():
        values += moves.get(name, 0)
    assert loss_before - learn(again) == pytest.approx(rate * norm, rel=0.03)


def oracle_of(learner: Learner, settings: Settings) -> Oracle:
    names = {"output": "Wy.weight", "bias": "By.weight", "layers.0.input": "G.0.weight_ih"}
    names |= {
        "layers.0.recurrent": "G.0.weight_hh",
        "layers.0.input_bias": "G.0.bias_ih",
        "layers.0.recurrent_bias": "G.0.bias_hh",
    }
    weights = {names[name]: values.clone() for name, values in learner.network.parameters()}
    params: dict[str, Any] = {
        name: getattr(settings, name) for name in ("loss", "batch_size", "learning_rate", "momentum")
    }
    params |= {name: getattr(settings, name) for name in ("sample_alpha", "logq", "bpreg", "elu_param")}
    support = np.maximum(np.bincount(log()[0].items, minlength=N_ITEMS), 1)
    return Oracle(params | {"layers": list(settings.layers)}, weights, support)


PUBLISHED: dict[str, dict[str, Any]] = {
    "cross-entropy": {},
    "bpr-max": {"loss": "bpr-max", "momentum": 0.3, "dropout_p_embed": 0.4, "dropout_p_hidden": 0.2},
    "several steps": {"steps_per_update": 3, "lr_schedule": "linear"},
    "several steps of bpr-max": {"steps_per_update": 3, "loss": "bpr-max", "dropout_p_hidden": 0.3},
    "cosine": {"scale": 12.0},
    "last clicks": {"look_back": 3},
    "last clicks and cosine": {"look_back": 2, "scale": 8.0, "steps_per_update": 3, "dropout_p_embed": 0.3},
    "cosine, several steps of bpr-max": {"scale": 2.0, "loss": "bpr-max", "steps_per_update": 3},
    "repeats": {"repeats": 3, "logq": 0.5},
    "repeats of bpr-max": {"repeats": 2, "loss": "bpr-max", "steps_per_update": 3},
    "all of a session": {
        "repeats": 4,
        "look_back": 2,
        "scale": 8.0,
        "steps_per_update": 3,
        "dropout_p_embed": 0.3,
    },
    "odd sizes": {"layers": (17,), "batch_size": 3, "dropout_p_embed": 0.2},
}


@pytest.mark.kernels
@pytest.mark.parametrize("given", PUBLISHED.values(), ids=PUBLISHED)
def test_the_compiled_loop_is_the_separate_calls_to_the_bit(given: dict[str, Any]) -> None:
    settings = replace(SETTINGS, **given)
    compiled, plain = learner_of(settings), learner_of(settings)
    train_alike(compiled, plain, settings)


@pytest.mark.parametrize(
    "given",
    [
        {"loss": "top1-max"},
        {"label_smoothing": 0.1},
        {"exclude_hits": True},
        {"cell": "lstm"},
        {"layers": (6, 6)},
        {"optimizer": "adam"},
        {"grad_clip": 1.0},
        {"weight_decay": 0.1},
        {"constrained_embedding": False, "embedding": 4},
    ],
    ids=str,
)
def test_what_the_compiled_loop_does_not_know_is_left_to_the_separate_calls(given: dict[str, Any]) -> None:
    assert type(learner_of(replace(SETTINGS, **given))) is Learner


@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max", "top1-max"])
@pytest.mark.parametrize("momentum", [0.0, 0.3])
def test_an_epoch_with_its_tail_equals_the_oracles(loss: str, momentum: float) -> None:
    settings = replace(SETTINGS, loss=loss, momentum=momentum)
    learner, data = learner_of(settings), log()[0]
    oracle, samples = oracle_of(learner, settings), learner_of(settings).sampler
    walked: list[int] = []
    for lanes, window in zip(lane_steps(log()[1], N_LANES), windows_of(settings), strict=True):
        if len(lanes) == N_LANES and not walked:
            learner.begin_epoch(N_LANES)
        sessions = [session for session, _, _ in lanes]
        if oracle.hidden:  # a lane that goes on keeps its state, one that begins has none
            places = [walked.index(session) if session in walked else 0 for session in sessions]
            oracle.hidden = [hidden[places] for hidden in oracle.hidden]
        walked = sessions
        x, y = data.items[window.at].astype(np.int64), data.items[window.at + 1].astype(np.int64)
        expected = oracle.step(x, y, samples.draw(1)[0], window.fresh)
        assert learn(learner, window) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(
        learner.network.tables["output"].double(), oracle.weights["Wy.weight"].detach(), rtol=1e-4, atol=1e-5
    )


def test_steps_per_update_only_groups_the_steps() -> None:
    data = log()[0]
    for steps in (1, 3):
        settings = replace(SETTINGS, steps_per_update=steps)
        at = Position()
        list(train_epoch(learner_of(settings), data, settings, at))
        assert (at.events, at.steps) == (data.pairs, len(lane_steps(log()[1], N_LANES)))
        assert at.updates == -(-at.steps // steps)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scale": 4.0},
        {"look_back": 3},
        {"scale": 4.0, "look_back": 3, "loss": "bpr-max"},
        {"scale": 4.0, "look_back": 3, "constrained_embedding": False, "embedding": "layersize"},
        {"scale": 4.0, "constrained_embedding": False, "cell": "lstm"},
        {"scale": 4.0, "look_back": 3, "loss": "softmax", "layers": (5, 6), "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_gradients_of_a_window_are_those_of_its_loss(given: dict[str, Any]) -> None:
    """A plain SGD step moves the output table by -lr times the gradient of the mean loss over the window's
    steps."""
    settings = replace(SETTINGS, steps_per_update=3, optimizer="sgd", learning_rate=2e-4, logq=0.0, **given)
    window = windows_of(settings)[0]
    before, after = learner_of(settings), learner_of(settings)
    loss_before = learn(before, window)
    moved = [
        now - then
        for (_, now), (_, then) in zip(before.network.parameters(), after.network.parameters(), strict=True)
    ]
    norm = sum(float((move / settings.learning_rate).pow(2).sum()) for move in moved)
    again = learner_of(settings)
    learn(again, window)
    again.sampler, again.states = learner_of(settings).sampler, again.network.zero_states(N_LANES)
    loss_after = learn(again, window)
    assert loss_before - loss_after == pytest.approx(settings.learning_rate * norm, rel=0.02)


def test_the_loss_of_a_window_is_the_mean_of_its_steps_losses_each_among_its_own_targets() -> None:
    settings = replace(SETTINGS, steps_per_update=3, optimizer="sgd", learning_rate=1e-30)
    window, items = windows_of(settings)[0], log()[0].items
    apart, samples = learner_of(settings), learner_of(settings).sampler.draw(1)
    losses, end = [], 0
    for count in window.alive:
        begin, end = end, end + count
        at = window.at[begin:end]
        inputs, targets = items[at].astype(np.int64), items[at + 1].astype(np.int64)
        (rows,) = apart.candidates.collect(inputs[:, None], targets, samples, [[count]])
        keep = torch.from_numpy(window.keep[begin:end])
        losses.append(apart.update(rows, Flow([count], keep, torch.from_numpy(window.source[begin:end]))))
    assert len(losses) == 3
    assert learn(learner_of(settings), window) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max"])
@pytest.mark.parametrize("steps", [1, 3])
def test_threads_do_not_change_a_bit_of_what_is_learned(loss: str, steps: int) -> None:
    settings = replace(
        SETTINGS, loss=loss, layers=(40,), n_sample=300, steps_per_update=steps, dropout_p_hidden=0.2
    )
    learned = []
    for threads in (1, 2, 3):
        with torch_threads(threads):
            learner = learner_of(settings)
            for window in windows_of(settings)[:8]:
                if len(window.at) == N_LANES * steps:
                    learn(learner, window)
        learned.append({name: values.clone() for name, values in learner.network.parameters()})
    for other in learned[1:]:
        assert all(torch.equal(values, other[name]) for name, values in learned[0].items())


def test_clipping_bounds_the_global_norm() -> None:
    settings = replace(SETTINGS, optimizer="sgd", learning_rate=1.0, grad_clip=0.01)
    clipped, start = learner_of(settings), learner_of(settings)
    learn(clipped, windows_of(settings)[0])
    moved = [
        now - then
        for (_, now), (_, then) in zip(clipped.network.parameters(), start.network.parameters(), strict=True)
    ]
    assert float(torch.cat([move.flatten() for move in moved]).norm()) == pytest.approx(0.01, rel=1e-4)


def test_a_loss_that_is_not_finite_stops_training_with_epoch_step_and_advice() -> None:
    learner = learner_of(SETTINGS)
    learner.network.tables["output"].fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"nan in epoch 1 at step 1; lower learning_rate"):
        list(train_epoch(learner, log()[0], SETTINGS, Position()))


@pytest.mark.parametrize(("schedule", "last"), [("constant", 0.1), ("linear", 0.0), ("cosine", 0.0)])
def test_the_learning_rate_follows_its_schedule(schedule: str, last: float) -> None:
    settings = replace(SETTINGS, lr_schedule=schedule, n_epochs=2)
    learner, at, data = learner_of(settings), Position(), log()[0]
    rates = []
    for _ in range(2):
        list(train_epoch(learner, data, settings, at))
        rates.append(learner.optimiser.learning_rate)
        end_epoch(at, {})
    assert rates[1] == pytest.approx(last, abs=0.003)
    assert rates[0] >= rates[1]


def test_an_epochs_report_counts_events_and_averages_the_loss() -> None:
    learner, at, data = learner_of(SETTINGS), Position(), log()[0]
    list(train_epoch(learner, data, SETTINGS, at))
    mean = at.loss / at.steps
    report = end_epoch(at, {"recall_at_20": 0.5})
    assert (report.epoch, report.events, report.loss) == (1, data.pairs, mean)
    assert report.events_per_second == report.events / report.seconds
    assert (at.epoch, at.updates, at.events, at.steps) == (1, 0, 0, 0)


def test_compiling_is_no_part_of_an_epochs_seconds_and_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, at, data = learner_of(SETTINGS), Position(), log()[0]
    run = learner.run

    def slow(data: TrainingData, windows: list[Window], rates: NDArray[np.float64]) -> Iterator[float]:
        event.start_event("numba:compile")  # type: ignore[no-untyped-call]
        time.sleep(1.1)
        event.end_event("numba:compile")  # type: ignore[no-untyped-call]
        return run(data, windows, rates)

    monkeypatch.setattr(learner, "run", slow)
    with caplog.at_level("INFO", logger="recsys_gru"):
        list(train_epoch(learner, data, SETTINGS, at))
    assert at.seconds < 1
    assert "compiled the loops in 1 s" in caplog.text
