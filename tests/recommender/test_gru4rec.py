"""GRU4Rec as an estimator: it learns what was planted, repeats to the bit, and stops when told."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from recsys_gru.baselines import Markov, Popularity
from recsys_gru.clicks import generate_clicks, read_clicks
from recsys_gru.errors import BundleError, CheckpointError, ClickLogError, NotFittedError, ParameterError
from recsys_gru.evaluation import evaluate
from recsys_gru.recommender import GRU4Rec
from recsys_gru.sessions import Sessions, filter_sessions, split_by_time
from recsys_gru.training import EpochReport

SMALL = {"layers": (12,), "batch_size": 16, "n_sample": 32, "n_epochs": 2, "device": "cpu"}


def small(**given: object) -> GRU4Rec:
    return GRU4Rec(**{**SMALL, **given})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clicks() -> pl.DataFrame:
    return generate_clicks(n_sessions=400, n_items=50, seed=3).select("session_id", "item_id", "time")


@pytest.fixture(scope="module")
def later() -> pl.DataFrame:
    return generate_clicks(n_sessions=150, n_items=50, seed=4).select("session_id", "item_id", "time")


def weights(model: GRU4Rec) -> dict[str, np.ndarray]:
    return {name: values.numpy().copy() for name, values in model.network_.parameters()}


def assert_same_weights(one: GRU4Rec, other: GRU4Rec) -> None:
    for name, values in weights(one).items():
        assert np.array_equal(values, weights(other)[name]), name


def cycles(lengths: int, n_sessions: int = 200, n_items: int = 40) -> pl.DataFrame:
    """Every item is followed by the next number, whatever came before: the answer is known."""
    start = np.random.default_rng(0).integers(0, n_items, n_sessions)
    session = np.repeat(np.arange(n_sessions), lengths)
    item = (start[:, None] + np.arange(lengths)).ravel() % n_items
    time = pl.Series(np.arange(len(session)) * 1_000_000).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"session_id": session, "item_id": item, "time": time})


@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max", "top1-max", "softmax", "gbce"])
def test_it_learns_that_every_item_has_one_successor(loss: str) -> None:
    model = small(loss=loss, layers=(32,), n_epochs=10, learning_rate=0.15, batch_size=8, bpreg=0.1).fit(
        cycles(6)
    )
    report = evaluate(model, cycles(6, 50), cutoffs=(1, 3))
    assert report.recall[3] > 0.95
    assert [model.recommend_one([7], k=1)["item_id"][0], model.recommend_one([1, 2], k=1)["item_id"][0]] == [
        8,
        3,
    ]


def test_it_cannot_learn_from_noise() -> None:
    rng = np.random.default_rng(5)
    noise = cycles(6).with_columns(pl.Series("item_id", rng.permutation(cycles(6)["item_id"].to_numpy())))
    report = evaluate(small(n_epochs=10).fit(noise), cycles(6, 50), cutoffs=(1, 3))
    assert report.recall[3] < 0.25


@pytest.mark.parametrize(
    "given", [{}, {"dropout_p_hidden": 0.3, "dropout_p_embed": 0.2}, {"steps_per_update": 4}]
)
def test_two_fits_of_one_seed_are_equal_to_the_bit_and_leave_global_generators_alone(
    clicks: pl.DataFrame, given: dict[str, object]
) -> None:
    states = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    one, other = small(**given).fit(clicks), small(**given).fit(clicks)
    assert_same_weights(one, other)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # type: ignore[index]  # noqa: NPY002
    different = small(**given, seed=7).fit(clicks)
    assert not np.array_equal(weights(one)["output"], weights(different)["output"])


@pytest.mark.parametrize(
    "given",
    [
        {"constrained_embedding": False},
        {"constrained_embedding": False, "embedding": 5, "layers": (6, 8)},
        {"cell": "lstm", "layers": (6, 8)},
        {"cell": "rnn", "optimizer": "adam", "learning_rate": 0.01},
        {"cell": "gru-reset-before", "optimizer": "rmsprop", "learning_rate": 0.01},
        {"optimizer": "sgd", "weight_decay": 1e-4, "grad_clip": 1.0, "lr_schedule": "cosine"},
        {"exclude_hits": True, "loss": "bpr-max"},
    ],
    ids=str,
)
def test_every_way_to_build_it_trains_saves_and_loads_to_equal_answers(
    clicks: pl.DataFrame, later: pl.DataFrame, tmp_path: Path, given: dict[str, object]
) -> None:
    model = small(**given).fit(clicks)
    assert model.history_[-1].loss < model.history_[0].loss
    model.save(tmp_path / "model")
    again = GRU4Rec.load(tmp_path / "model")
    assert repr(again) == repr(model)
    assert again.recommend(later, k=5).equals(model.recommend(later, k=5))
    assert_same_weights(model.partial_fit(later), again.partial_fit(later))


def test_more_lanes_than_sessions_and_a_single_pair_train(clicks: pl.DataFrame) -> None:
    few = clicks.filter(
        pl.col("session_id").is_in(clicks["session_id"].unique(maintain_order=True)[:3].implode())
    )
    assert small(batch_size=500).fit(few).history_[0].events > 0
    assert small().fit(cycles(2, 1)).history_[0].events == 1


def test_without_samples_evaluation_still_ranks_the_last_lone_session() -> None:
    lonely = cycles(6, 3)
    report = evaluate(small(n_sample=0, batch_size=2).fit(cycles(6)), lonely)
    assert report.events == 15


def test_logs_without_a_pair_are_refused() -> None:
    with pytest.raises(ClickLogError, match="two events or more"):
        small().fit(cycles(1))


def test_early_stopping_keeps_the_best_epoch(clicks: pl.DataFrame, later: pl.DataFrame) -> None:
    seen: list[EpochReport] = []
    model = small(n_epochs=40, patience=2, learning_rate=0.5).fit(
        clicks, validation=later, on_epoch=seen.append
    )
    watched = [report.metrics["mrr_at_20"] for report in model.history_]
    best = int(np.argmax(watched))
    assert len(watched) == best + 1 + 2
    assert len(watched) < 40
    assert evaluate(model, later).mrr[20] == watched[best]
    assert tuple(seen) == model.history_


def test_patience_asks_for_a_validation_log(clicks: pl.DataFrame) -> None:
    with pytest.raises(ParameterError, match="patience needs a validation log"):
        small(patience=2).fit(clicks)
    with pytest.raises(ParameterError, match="1 or more epochs"):
        small(patience=0).fit(clicks, validation=clicks)


def test_a_progress_bar_changes_nothing(clicks: pl.DataFrame) -> None:
    assert_same_weights(small().fit(clicks, progress=True), small().fit(clicks))


def test_an_unfitted_model_says_so() -> None:
    with pytest.raises(NotFittedError, match="fit or load"):
        small().recommend_one([1])
    with pytest.raises(NotFittedError):
        small().save("nowhere")


def test_a_bundle_with_other_parameters_is_refused(clicks: pl.DataFrame, tmp_path: Path) -> None:
    Popularity().fit(clicks).save(tmp_path / "model")
    with pytest.raises(BundleError, match="holds a Popularity"):
        GRU4Rec.load(tmp_path / "model")


def test_a_model_learned_on_a_device_that_is_not_here_answers_all_the_same(
    clicks: pl.DataFrame, tmp_path: Path
) -> None:
    model = small().fit(clicks)
    model.parameters_["device"] = "cuda:64"  # as if it had been learned there
    model.save(tmp_path / "model")
    loaded = GRU4Rec.load(tmp_path / "model")
    assert loaded.recommend_one([3, 1], k=5)["item_id"].equals(model.recommend_one([3, 1], k=5)["item_id"])
    with pytest.raises(ParameterError, match="expected a device of this machine, got 'cuda:64'"):
        loaded.fit(clicks)


def test_a_finished_checkpoint_gives_its_model_and_another_run_is_refused(
    clicks: pl.DataFrame, tmp_path: Path
) -> None:
    first = small(checkpoint_dir=tmp_path, checkpoint_every=5).fit(clicks)
    second = small(checkpoint_dir=tmp_path).fit(
        clicks, on_epoch=lambda _: pytest.fail("nothing is left to train")
    )
    assert_same_weights(first, second)
    assert second.history_ == first.history_
    with pytest.raises(CheckpointError, match="other data or parameters"):
        small(learning_rate=0.2).fit(clicks, checkpoint_dir=tmp_path)


def test_a_damaged_checkpoint_is_refused_and_an_unwritable_place_named(
    clicks: pl.DataFrame, tmp_path: Path
) -> None:
    small(n_epochs=1).fit(clicks, checkpoint_dir=tmp_path)
    content = bytearray((tmp_path / "checkpoint").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        small(n_epochs=1).fit(clicks, checkpoint_dir=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        small(n_epochs=1).fit(clicks, checkpoint_dir=tmp_path / "file")


@pytest.mark.slow
def test_on_the_bolcom_log_it_beats_markov_by_a_tenth_of_recall(shared: Path) -> None:
    from datetime import timedelta

    train, test = split_by_time(read_clicks(shared / "data" / "bolcom.parquet"), test=timedelta(days=1))
    sessions = Sessions.from_events(filter_sessions(train, min_support=5, min_length=2))
    model = GRU4Rec(
        batch_size=32,
        n_epochs=5,
        learning_rate=0.1,
        logq=1.0,
        sample_alpha=0.75,
        steps_per_update=4,
        device="cpu",
    )
    gru, markov = evaluate(model.fit(sessions), test), evaluate(Markov().fit(sessions), test)
    assert gru.recall[20] > max(0.70, markov.recall[20] + 0.10)
    assert gru.mrr[20] > markov.mrr[20]
