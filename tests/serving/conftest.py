"""Saved models to serve, and a service that runs."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from recsys_gru import GRU4Rec, Markov, Recommender
from recsys_gru.serving import Settings
from tests.contract.suite import log
from tests.serving.running import Here, running


@pytest.fixture(scope="session")
def clicks() -> pl.DataFrame:
    """The log that the models have learned: items 100 to 111."""
    return log(200)


@pytest.fixture(scope="session")
def model(clicks: pl.DataFrame) -> Recommender:
    return GRU4Rec(layers=(8,), batch_size=8, n_sample=16, n_epochs=3, device="cpu").fit(clicks)


@pytest.fixture(scope="session")
def folder(model: Recommender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The saved model."""
    place = tmp_path_factory.mktemp("models") / "gru"
    model.save(place)
    return place


@pytest.fixture(scope="session")
def other(clicks: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another saved model."""
    place = tmp_path_factory.mktemp("models") / "markov"
    Markov().fit(clicks).save(place)
    return place


@pytest.fixture(scope="module")
def service(folder: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A service with two models, sessions in memory and a log of clicks."""
    kept = tmp_path_factory.mktemp("kept") / "clicks"
    told = Settings(str(folder), beside=str(other), port=0, sessions="memory", clicks=kept)
    with running(told) as client:
        yield client
