"""A GPU learns, keeps and answers what the CPU does, up to rounding; skipped, loudly, where there is none."""

from pathlib import Path

import polars as pl
import pytest
import torch

from recsys_gru.clicks import generate_clicks
from recsys_gru.evaluation import evaluate
from recsys_gru.recommender import GRU4Rec
from recsys_gru.training import EpochReport

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="NO GPU: torch finds no CUDA device, so only the CPU is tested"
)
SETTINGS = {"layers": (16,), "batch_size": 16, "n_sample": 64, "n_epochs": 2, "seed": 5}
WAYS: list[dict[str, object]] = [
    {},
    {"steps_per_update": 4, "dropout_p_embed": 0.2, "dropout_p_hidden": 0.1},
    {"loss": "bpr-max", "momentum": 0.3, "constrained_embedding": False, "embedding": 8},
    {"layers": (16, 12), "grad_clip": 1.0},
    {"n_sample": 0, "loss": "softmax"},
]


@pytest.fixture(scope="module")
def clicks() -> pl.DataFrame:
    return generate_clicks(n_sessions=400, n_items=300, seed=3).select("session_id", "item_id", "time")


@pytest.fixture(scope="module")
def later() -> pl.DataFrame:
    return generate_clicks(n_sessions=150, n_items=300, seed=4).select("session_id", "item_id", "time")


def fitted(device: str, clicks: pl.DataFrame, given: dict[str, object]) -> GRU4Rec:
    return GRU4Rec(**(SETTINGS | given | {"device": device})).fit(clicks)  # type: ignore[arg-type]


def assert_close(one: GRU4Rec, other: GRU4Rec) -> None:
    for (name, found), (_, expected) in zip(
        one.network_.parameters(), other.network_.parameters(), strict=True
    ):
        torch.testing.assert_close(found.cpu(), expected.cpu(), rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("given", WAYS)
def test_it_learns_and_answers_as_on_the_cpu(
    given: dict[str, object], clicks: pl.DataFrame, later: pl.DataFrame
) -> None:
    here, there = fitted("cpu", clicks, given), fitted("auto", clicks, given)
    assert there.network_.device.type == "cuda"
    assert_close(there, here)
    reports = [evaluate(model, later) for model in (here, there)]
    assert reports[1].recall[20] == pytest.approx(reports[0].recall[20], abs=0.01)
    scores = [model.recommend(later, k=5)["score"].to_torch() for model in (here, there)]
    torch.testing.assert_close(scores[1], scores[0], rtol=1e-2, atol=1e-2)


def test_it_is_kept_and_answers_one_session_as_a_batch(
    clicks: pl.DataFrame, later: pl.DataFrame, tmp_path: Path
) -> None:
    model = fitted("cuda", clicks, {})
    model.save(tmp_path / "model")
    loaded = GRU4Rec.load(tmp_path / "model")
    assert loaded.network_.device.type == "cuda"
    assert loaded.recommend(later).equals(model.recommend(later))
    first = later.sort("time").filter(pl.col("session_id") == pl.col("session_id").first())
    alone = loaded.recommend_one(first["item_id"].to_list(), k=10)
    together = loaded.recommend(later, k=10).filter(pl.col("session_id") == first["session_id"][0])
    assert alone["item_id"].equals(together["item_id"])


def test_it_goes_on_from_a_checkpoint(clicks: pl.DataFrame, tmp_path: Path) -> None:
    def stop(_: EpochReport) -> None:
        raise InterruptedError

    settings = SETTINGS | {"device": "cuda", "n_epochs": 3}
    with pytest.raises(InterruptedError):
        GRU4Rec(**settings).fit(clicks, checkpoint_dir=tmp_path, on_epoch=stop)  # type: ignore[arg-type]
    resumed = GRU4Rec(**settings).fit(clicks, checkpoint_dir=tmp_path)  # type: ignore[arg-type]
    assert_close(resumed, fitted("cpu", clicks, {"n_epochs": 3}))
