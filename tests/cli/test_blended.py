"""The blend on the command line: in `demo` and `compare` of what is fitted already, and in `fit`."""

from datetime import timedelta
from pathlib import Path

import recsys_gru as rg
from recsys_gru.cli.comparing import blended
from recsys_gru.cli.preparing import Prepared
from recsys_gru.clicks.ledger import Ledger
from tests.cli.conftest import SMALL, Call


def test_each_fitted_model_is_a_member_once_and_the_others_are_fitted() -> None:
    log = rg.generate_clicks(n_sessions=300, n_items=40, days=4, seed=1)
    outer = rg.split_by_time(log, timedelta(days=1))
    inner = rg.split_by_time(outer.train, timedelta(days=1))
    train = rg.Sessions.from_events(inner.train)
    validation, test = (rg.Sessions.from_events(part, train.vocabulary) for part in (inner.test, outer.test))
    fitted = {"GRU4Rec": rg.GRU4Rec(**rg.RECOMMENDED).fit(train), "Markov": rg.Markov().fit(train)}
    blend = blended(fitted, Prepared(train, validation, test, outer.cut, Ledger()))
    assert isinstance(blend, rg.Blend)
    first, second = (member for member in blend.members_ if isinstance(member, rg.GRU4Rec))
    assert first is fitted["GRU4Rec"]
    assert (first.scale, second.scale) == (rg.RECOMMENDED["scale"], 0)
    assert fitted["Markov"] in blend.members_
    assert len(fitted) == 2


def test_fit_takes_the_recommended_blend_and_the_network_where_its_parameters_are_named(
    call: Call, log: Path
) -> None:
    assert "fitted     Blend()" in call("fit", log, "--out", "best")
    assert rg.load("best").parameters() == rg.recommended().parameters()
    call("fit", log, *SMALL, "--out", "small")
    assert isinstance(rg.load("small"), rg.GRU4Rec)
