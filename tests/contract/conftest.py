"""Every recommender by turns, fitted and not, and sessions to ask it about."""

from collections.abc import Callable

import polars as pl
import pytest

from recsys_gru.contract import Recommender
from tests.contract.suite import FACTORIES, log

Factory = Callable[[], Recommender]


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES), scope="module")
def factory(request: pytest.FixtureRequest) -> Factory:
    made: Factory = request.param
    return made


@pytest.fixture(scope="module")
def model(factory: Factory) -> Recommender:
    return factory().fit(log())


@pytest.fixture(scope="module")
def live() -> pl.DataFrame:
    return log(20, seed=8, first=500)
