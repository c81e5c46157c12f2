"""Items without a click are what regression on facts foretells, and clicked ones stay what they were."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax

from recsys_gru.clicks.catalogue import Catalogue, generate_catalogue
from recsys_gru.contract import prefix_ends
from recsys_gru.errors import ParameterError
from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.recommender import GRU4Rec
from recsys_gru.recommender.newcomers import PENALTY, foretell_new
from recsys_gru.sessions import as_sessions

SMALL: dict[str, Any] = {"layers": (12,), "batch_size": 16, "n_sample": 32, "n_epochs": 1, "device": "cpu"}
KINDS: dict[str, dict[str, Any]] = {
    "tied": {"scale": 10.0, "logq": 1.0},
    "separate": {"constrained_embedding": False, "embedding": 6},
}


@pytest.fixture(scope="module")
def made() -> Catalogue:
    return generate_catalogue(n_sessions=800, n_items=150, days=3, seed=2)


@pytest.fixture(scope="module")
def train(made: Catalogue) -> pl.DataFrame:
    """The clicks on all but one item in five."""
    return made.clicks.filter(pl.col("item_id").hash(1) % 5 > 0)


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, made: Catalogue, train: pl.DataFrame) -> tuple[GRU4Rec, GRU4Rec]:
    """A model as it was learned, and the same with new items foretold."""
    plain, foretold = (GRU4Rec(**SMALL, **KINDS[request.param], boost_new=boost) for boost in (None, 0.5))
    return plain.fit(train, items=made.items), foretold.fit(train, items=made.items)


def facts_of(network: Network) -> Facts:
    assert network.facts is not None
    return network.facts


def test_clicked_items_keep_their_rows_and_new_ones_get_those_of_a_regression(
    pair: tuple[GRU4Rec, GRU4Rec],
) -> None:
    plain, foretold = (model.network_ for model in pair)
    support, facts = pair[0].vocabulary_.support, facts_of(plain)
    clicked = support > 0
    assert 20 < (~clicked).sum() < 60
    labels = np.zeros((len(support), len(plain.added["output.labels"])))
    labels[np.repeat(np.arange(len(support)), np.diff(facts.offsets)), facts.labels] = facts.weights
    told = np.hstack([labels, facts.numbers])
    known, weights = told[clicked], np.sqrt(support[clicked])
    weighted = known.T * (weights / weights.mean())
    for name in plain.tables.keys() - {"bias"}:
        before, after = (network.rows(name).numpy().astype(np.float64) for network in (plain, foretold))
        np.testing.assert_allclose(after[clicked], before[clicked], atol=1e-5)
        square = weighted @ known + PENALTY * np.eye(known.shape[1])
        expected = told[~clicked] @ np.linalg.solve(square, weighted @ before[clicked])
        np.testing.assert_allclose(after[~clicked], expected, atol=1e-3 * np.abs(expected).max())
    biases = plain.tables["bias"].numpy(), foretold.tables["bias"].numpy()
    np.testing.assert_array_equal(biases[0][clicked], biases[1][clicked])
    assert (biases[1][~clicked] == np.float32(foretold.level)).all()


def test_the_level_is_one_at_which_as_many_clicks_are_expected_as_came(
    made: Catalogue, train: pl.DataFrame
) -> None:
    """Of a network that scores all items alike: the bias makes of a share of the items one of the clicks."""
    model = GRU4Rec(**SMALL, logq=1.0).fit(train, items=made.items)
    sessions, network = as_sessions(train, model.vocabulary_), model.network_
    for table in (*network.tables.values(), *network.added.values()):
        table.zero_()
    support = model.vocabulary_.support
    with network.copies.changing():
        foretell_new(network, support, sessions, None, boost=0.0, seed=5)
        first = network.level
        foretell_new(network, support, sessions, None, boost=1.5, seed=5)
    assert network.level == pytest.approx(first + 1.5, abs=1e-5)
    clicked = np.random.default_rng(5).permutation(np.flatnonzero(support > 0))
    held = clicked[: len(clicked) // 10]
    targets = sessions.items[prefix_ends(sessions, every=True) + 1]
    odds = np.where(np.isin(clicked, held), first, 0.0)
    assert softmax(odds)[: len(held)].sum() == pytest.approx(np.isin(targets, held).mean(), abs=1e-4)


def test_what_is_added_later_is_what_it_would_have_been_at_fit(
    made: Catalogue, pair: tuple[GRU4Rec, GRU4Rec], tmp_path: Path
) -> None:
    foretold = pair[1]
    foretold.save(tmp_path / "model")
    again = GRU4Rec.load(tmp_path / "model")
    (known,) = foretold.vocabulary_.ids.filter(pl.Series(foretold.vocabulary_.support == 0)).head(1).to_list()
    again.retire_items([known]).add_items(made.items.filter(item_id=known))
    kept = ["item_id", "score", "source"]
    asked = foretold.vocabulary_.ids.head(2).to_list()
    before, after = (
        model.recommend_one(asked, k=150).select(kept).sort("item_id") for model in (foretold, again)
    )
    assert before.equals(after)
    assert known in before["item_id"]


@pytest.mark.parametrize("strange", ["much", float("nan"), True])
def test_a_boost_that_is_no_number_is_refused(strange: object, train: pl.DataFrame) -> None:
    with pytest.raises(ParameterError, match="boost_new"):
        GRU4Rec(**SMALL, boost_new=strange).fit(train)  # type: ignore[arg-type]
