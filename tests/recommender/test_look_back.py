"""Cosine scores, a look back and repeats: what they learn, and that saved models keep them."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import recsys_gru as rg
from recsys_gru.errors import ParameterError

OPTIONS = {"scale": 12.0, "look_back": 3, "repeats": 2}


def there_and_back(n_sessions: int, seed: int, first: int = 0) -> pl.DataFrame:
    """Sessions of two items by turns: what comes is what was clicked two clicks before."""
    pairs = np.random.default_rng(seed).integers(0, 300, (n_sessions, 2))
    return pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(first, first + n_sessions), 4),
            "item_id": np.concatenate([pairs, pairs], axis=1).ravel(),
            "time": pl.Series(np.arange(4 * n_sessions) * 1_000_000).cast(pl.Datetime("us", "UTC")),
        }
    )


def model_of(**own: object) -> rg.GRU4Rec:
    return rg.GRU4Rec(layers=(16,), batch_size=8, n_sample=64, learning_rate=0.1, n_epochs=3, **own)  # type: ignore[arg-type]


def test_what_was_clicked_before_is_found_again_in_pairs_never_seen_together() -> None:
    learned, new = there_and_back(500, seed=1), there_and_back(100, seed=2, first=500)
    returns = {}
    kinds: dict[str, dict[str, float]] = {"plain": {}, "looking": OPTIONS, "repeating": {"repeats": 2}}
    for name, own in kinds.items():
        model = model_of(**own).fit(learned)
        ranks = rg.evaluate(model, new, cutoffs=(1,), unknown="miss").ranks
        later = ranks.filter(pl.col("position") > 1)
        returns[name] = float((later["rank"].to_numpy() == 1).mean())
    assert returns["looking"] > 0.9
    assert returns["repeating"] > 0.5
    assert returns["plain"] < 0.5


def test_a_saved_model_answers_and_goes_on_as_before(tmp_path: Path) -> None:
    log = rg.generate_clicks(n_sessions=300, n_items=80, days=3, seed=4)
    days = rg.split_by_time(log, timedelta(days=1))
    model = model_of(**OPTIONS, half_life=500.0).fit(days.train)
    model.save(tmp_path / "model")
    loaded = rg.load(tmp_path / "model")
    assert isinstance(loaded, rg.GRU4Rec)
    for newer in (None, days.test):
        if newer is not None:
            model.partial_fit(newer)
            loaded.partial_fit(newer)
        assert_frame_equal(
            loaded.recommend(days.test, k=5), model.recommend(days.test, k=5), check_exact=True
        )


@pytest.mark.parametrize("changed", [{"scale": 8.0}, {"look_back": 2}, {"repeats": 3}], ids=str)
def test_going_on_with_another_shape_is_refused(changed: dict[str, float]) -> None:
    log = rg.generate_clicks(n_sessions=60, n_items=30, seed=4)
    model = model_of(**OPTIONS).fit(log).set_params(**changed)
    with pytest.raises(ParameterError, match="scale, look_back"):
        model.partial_fit(log)
