"""Blend against a plain loop over its members, and what it may and may not look at."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.blend import Blend
from recsys_gru.blend.foretold import Foretold
from recsys_gru.blend.gate import context_of
from recsys_gru.blend.members import go_on
from recsys_gru.blend.shares import DenseShares
from recsys_gru.contract import Recommender
from recsys_gru.contract.toy import clicks_of
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.observers import EpochEnded, Event, FitStarted, listening
from recsys_gru.sessions import Sessions, moment_of
from tests.contract.suite import log
from tests.threads import torch_threads

GRU = {"layers": (8,), "batch_size": 8, "n_sample": 16, "n_epochs": 3, "device": "cpu"}


def blend(**own: object) -> Blend:
    members = [rg.GRU4Rec(**GRU), rg.VMISKNN(), rg.Markov(), rg.Repeats(), rg.Popularity()]  # type: ignore[arg-type]
    return Blend(members, **own)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted() -> Blend:
    return blend().fit(log(200))


def table(model: Recommender, asked: Sessions) -> np.ndarray:
    """Scores of every prefix by the place of its end (Q, N)."""
    blocks = [(block.rows, block.tile(0, block.n_items).copy()) for block in model.blocks(asked, every=True)]
    rows = np.concatenate([rows for rows, _ in blocks])
    return np.concatenate([scores for _, scores in blocks])[np.argsort(rows)]


def test_scores_are_the_weighted_shares_of_the_members(fitted: Blend) -> None:
    asked = Sessions.from_events(log(40, seed=9), fitted.vocabulary_)
    shares = []
    for member, temperature in zip(fitted.members_, fitted.temperatures_, strict=True):
        scores = table(member, asked).astype(np.float64)
        if isinstance(member, rg.GRU4Rec):
            scores = np.exp((scores - scores.max(1, keepdims=True)) / temperature)
        total = scores.sum(1, keepdims=True)
        shares.append(np.divide(scores, total, out=np.zeros_like(scores), where=total > 0))
    ends = np.setdiff1d(np.arange(asked.n_events), asked.offsets[1:] - 1)
    told = [DenseShares(share.astype(np.float32), logits=False, temperature=1.0) for share in shares]
    weights = fitted.gate_.weights(context_of(asked, ends, told))
    expected = sum(weights[:, [place]] * share for place, share in enumerate(shares))
    np.testing.assert_allclose(
        table(fitted, asked), expected, rtol=1e-3, atol=1e-7
    )  # sums are those of copies


def test_scores_are_a_distribution(fitted: Blend) -> None:
    found = table(fitted, Sessions.from_events(log(20, seed=9), fitted.vocabulary_))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-3)  # though Repeats is silent at a session's begin


def test_neither_later_clicks_nor_other_sessions_change_a_score(fitted: Blend) -> None:
    asked = Sessions.from_events(log(30, seed=9), fitted.vocabulary_)
    together = table(fitted, asked)
    ends = np.setdiff1d(np.arange(asked.n_events), asked.offsets[1:] - 1)
    for row in range(0, len(ends), 7):
        owner = int(np.searchsorted(asked.offsets, ends[row], side="right")) - 1
        items = fitted.vocabulary_.take(asked.items[asked.offsets[owner] : ends[row] + 1]).to_list()
        alone = fitted.recommend_one(items, k=12, exclude_seen=False)
        number = fitted.vocabulary_.numbers(alone["item_id"])
        assert (together[row][number] == alone["score"].to_numpy()).all()


def test_blocks_of_any_size_give_equal_bits(fitted: Blend, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Sessions.from_events(log(30, seed=9), fitted.vocabulary_)
    whole = table(fitted, asked)
    for held in (1, 400, 3000):  # bytes: from one prefix at a time on
        monkeypatch.setattr("recsys_gru.blend.shares.BYTES", held)
        assert (table(fitted, asked) == whole).all()


def test_weights_are_learned_from_clicks_that_were_not() -> None:
    older, newer = ["ab", "cd"] * 30, ["ax", "cx"] * 4  # x comes up in the newest tenth only
    members = [rg.Markov(), rg.Popularity()]
    model = Blend(members, held_out=0.1).fit(clicks_of(*older, "ax", "ab", "cd", "ab", "cd", "ab"))
    assert model.foretold_.count == 5  # the click on x is of no known item
    assert (model.foretold_.shares[:, 0] > 0.9).all()
    assert model.members_[0].recommend_one(["a"])["item_id"].to_list()[:2] == [
        "b",
        "x",
    ]  # and learned afterwards
    weights = Blend(members).fit(clicks_of(*older), clicks_of(*newer, "ab")).foretold_
    assert weights.count == 1


def test_the_member_that_foretells_gets_the_weight() -> None:
    rng = np.random.default_rng(4)
    chain = [
        "".join("abcdefgh"[(start + step) % 8] for step in range(3)) for start in rng.integers(0, 8, 300)
    ]
    lists = Blend([rg.Markov(), rg.Popularity()]).fit(clicks_of(*chain))
    asked = Sessions.from_events(clicks_of(*chain[:20]), lists.vocabulary_)
    ends = np.setdiff1d(np.arange(asked.n_events), asked.offsets[1:] - 1)
    shares = [table(member, asked) for member in lists.members_]
    told = [DenseShares(share, logits=False, temperature=1.0) for share in shares]
    assert lists.gate_.weights(context_of(asked, ends, told))[:, 0].min() > 0.9


def test_a_validation_part_is_not_learned() -> None:
    train, valid = log(60), log(40, seed=8, first=60)
    model = blend().fit(train, valid)
    assert model.vocabulary_.support.sum() == train.height
    assert model.members_[2].recommend(log(5)).equals(rg.Markov().fit(train).recommend(log(5)))
    assert model.foretold_.count == valid.height - 40


def test_members_fitted_already_are_weighed_only() -> None:
    train, valid = log(60), log(40, seed=8, first=60)
    whole = blend().fit(train, valid)
    members = [type(member)(**member.parameters()).fit(train) for member in whole.members_]
    found = Blend.of(members, valid)
    assert found.members_[0] is members[0]
    assert found.recommend(valid).equals(whole.recommend(valid))
    assert found.parameters() == whole.parameters()
    with pytest.raises(ParameterError, match="Popularity knows other items or counts than Markov"):
        Blend.of([rg.Markov().fit(train), rg.Popularity().fit(valid)], valid)


def test_members_are_those_of_one_fit_on_all_clicks(fitted: Blend) -> None:
    alone = [type(member)(**member.parameters()).fit(log(200)) for member in fitted.members_]
    assert all(member.vocabulary_ == fitted.vocabulary_ for member in [*alone, *fitted.members_])
    assert all(member.fingerprint_ == alone[0].fingerprint_ for member in [fitted, *fitted.members_])
    for mine, other in list(zip(fitted.members_, alone, strict=True))[1:]:
        assert mine.recommend(log(9)).equals(other.recommend(log(9)))


def test_a_network_learns_a_part_and_then_all_in_its_epochs_together(fitted: Blend) -> None:
    events = Sessions.from_events(log(200)).events()
    older = events["session_id"].is_in(events["session_id"].unique(maintain_order=True)[:180].implode())
    network = rg.GRU4Rec(**GRU)  # type: ignore[arg-type]
    network.fit_part(Sessions.from_events(events.filter(older)))
    walks = [len(network.history_)]
    network.fit_rest(Sessions.from_events(log(200)))
    assert [*walks, len(network.history_)] == [1, 2]
    assert fitted.members_[0].recommend(log(9)).equals(network.recommend(log(9)))


def test_a_stream_teaches_members_and_weights(tmp_path: Path) -> None:
    clicks = log(120)
    times = Sessions.from_events(clicks).times
    middle, late = (moment_of(int(np.sort(times)[place])) for place in (300, 360))
    model = blend().fit(clicks.filter(pl.col("time") < middle))
    told = model.foretold_.count
    model.save(tmp_path / "model")
    for one in (model, Blend.load(tmp_path / "model")):
        one.partial_fit(clicks.filter(pl.col("time") < late), since=middle).partial_fit(clicks, since=late)
        assert one.foretold_.count > told
        for place, alone in ((2, rg.Markov()), (4, rg.Popularity())):
            assert one.members_[place].recommend(log(9)).equals(alone.fit(clicks).recommend(log(9)))
        assert len({id(member.vocabulary_) for member in one.members_[1:]}) == 1  # renumbered once
        assert all(member.vocabulary_ == one.vocabulary_ for member in one.members_)
        assert one.span_ == (times.min(), times.max())
        with pytest.raises(ClickLogError, match="not learned yet"):
            one.partial_fit(clicks, since=late)
        with pytest.raises(ParameterError, match="n_epochs"):
            one.partial_fit(clicks, since=late, n_epochs=0)
    assert model.recommend(log(9)).equals(one.recommend(log(9)))
    one.partial_fit(clicks, since=datetime(2030, 1, 1, tzinfo=UTC))  # nothing new is no error


def test_it_goes_on_to_the_same_bits_on_one_thread_and_on_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Foretold, "AT_ONCE", 7)
    members = [rg.GRU4Rec(**GRU), rg.GRU4Rec(**GRU, seed=2), rg.VMISKNN(), rg.ItemKNN(), rg.Popularity()]  # type: ignore[arg-type]
    states = []
    for threads in (1, 3):
        with torch_threads(threads):
            model = Blend(members).fit(log(60)).partial_fit(log(40, seed=3, first=60))
        states.append({name: values.tobytes() for name, values in model._state().items()})
    assert states[0] == states[1]


def test_nothing_is_learned_where_a_member_cannot_go_on() -> None:
    class Fixed:
        """A member without partial_fit."""

    model = rg.Markov().fit(log(20))
    before = model.vocabulary_.support.sum()
    newer = Sessions.from_events(log(9, seed=3, first=60))
    with pytest.raises(ParameterError, match="Fixed cannot go on learning"):
        go_on([model, Fixed()], newer, {}, beside=lambda: None)  # type: ignore[list-item]
    assert model.vocabulary_.support.sum() == before


def test_networks_walk_newer_sessions_as_often_as_asked() -> None:
    model = blend().fit(log(60)).partial_fit(log(9, seed=3, first=60), n_epochs=1)
    assert isinstance(model.members_[0], rg.GRU4Rec)
    assert len(model.members_[0].history_) == 1


def test_it_is_followed_like_any_other() -> None:
    clicks = rg.generate_clicks(n_sessions=600, n_items=60, days=9, seed=1)
    train, _ = rg.split_by_time(clicks, test=timedelta(days=2))
    members = [rg.Markov(), rg.SequentialRules(), rg.Repeats(), rg.Popularity()]
    mixed = rg.prequential(Blend(members).fit(train), clicks, every=timedelta(hours=12))
    single = [rg.prequential(member.fit(train), clicks, every=timedelta(hours=12)) for member in members]
    assert mixed.events == single[0].events
    assert mixed.mrr[20] > max(report.mrr[20] for report in single)


def test_a_log_too_small_to_hold_anything_out_gets_equal_weights() -> None:
    model = Blend([rg.Markov(), rg.Popularity()]).fit(clicks_of("ab", "c"))
    assert not model.foretold_.count
    assert not model.gate_.coefficients.any()


def test_epochs_of_the_network_are_heard_once_and_as_its_own() -> None:
    heard: list[Event] = []
    model = blend()
    with listening(heard.append):
        model.fit(log(60))
    assert isinstance(heard[0], FitStarted)
    epochs = [event for event in heard if isinstance(event, EpochEnded)]
    assert len(epochs) == 2
    assert all(event.model is model for event in epochs)


def test_impossible_members_are_refused_by_name() -> None:
    for members, said in (
        ([], "list of recommenders"),
        (rg.Markov(), "list of recommenders"),
        (["Markov"], "expected models as recommenders, got 'Markov'"),
        ([{"model": "Markow"}], "no recommender 'Markow'.*Markov"),
        ([{"model": "Repeats", "reach": 0}], "reach"),
        ([rg.GRU4Rec(forget_after=2.0)], "forget_after"),
    ):
        with pytest.raises(ParameterError, match=said):
            Blend(members).fit(log(9))  # type: ignore[arg-type]
    model = Blend([rg.Markov()]).fit(log(9))
    model.strength = 1.0
    with pytest.raises(ParameterError, match="changed since"):
        model.partial_fit(log(9, first=20))
