"""What is known about the moment of a click: a log whose law hangs on it, every way of asking, going on,
saving and refusing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import recsys_gru as rg
from recsys_gru.contract import Question, answer
from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.facts import Moments

K = 10
SMALL: dict[str, Any] = {
    "layers": (12,), "batch_size": 16, "n_sample": 32, "n_epochs": 3, "learning_rate": 0.1, "device": "cpu",
}  # fmt: skip
DAY = 86_400


def law(n_sessions: int, seed: int, begin: int = 0) -> pl.DataFrame:
    """Sessions of four clicks, each on one of ten items that the device of the click before decides on."""
    rng = np.random.default_rng(seed)
    phone = rng.random((n_sessions, 4)) < 0.5
    items = rng.integers(0, 10, (n_sessions, 4))
    items[:, 1:] += 10 * phone[:, :-1]
    times = begin + np.arange(n_sessions)[:, None] * 600 + np.arange(4) * 40
    return pl.DataFrame(
        {
            "session_id": np.repeat(np.arange(n_sessions) + begin, 4),
            "item_id": items.ravel(),
            "time": times.ravel(),
            "device": pl.Series(phone.ravel()).replace_strict({True: "phone", False: "desk"}),
            "shop": ["one"] * (4 * n_sessions),
        }
    )


@pytest.fixture(scope="module")
def train() -> pl.DataFrame:
    return law(300, 1)


@pytest.fixture(scope="module")
def test() -> pl.DataFrame:
    return law(60, 2, begin=9 * DAY)


@pytest.fixture(scope="module")
def model(train: pl.DataFrame) -> rg.GRU4Rec:
    return rg.GRU4Rec(context=("device", "shop"), **SMALL).fit(train)


def test_the_planted_law_is_found_with_context_and_not_without(
    model: rg.GRU4Rec, train: pl.DataFrame, test: pl.DataFrame
) -> None:
    plain = rg.GRU4Rec(**SMALL).fit(train)
    assert rg.evaluate(model, test, cutoffs=(K,)).recall[K] > 0.95
    assert rg.evaluate(plain, test, cutoffs=(K,)).recall[K] < 0.6
    labels = test.select(pl.col("device").shuffle(seed=1))
    assert rg.evaluate(model, test.with_columns(labels), cutoffs=(K,)).recall[K] < 0.6


def test_every_way_of_asking_gives_the_same(model: rg.GRU4Rec, test: pl.DataFrame) -> None:
    table = model.recommend(test, k=3)
    ends = test.group_by("session_id", maintain_order=True).agg("item_id", pl.col("device", "shop").last())
    questions = []
    for session, items, device, shop in ends.head(5).iter_rows():
        context = {"device": device, "shop": shop}
        expected = table.filter(pl.col("session_id") == session).drop("session_id")
        assert model.recommend_one(items, k=3, context=context).equals(expected)
        seen = model.vocabulary_.numbers(pl.Series(items))
        questions.append((Question(seen, 3, seen, context=context), expected))
    for found, (_, expected) in zip(answer(model, [one for one, _ in questions]), questions, strict=True):
        assert model.vocabulary_.take(found.items).to_list() == expected["item_id"].to_list()
        assert found.scores.tolist() == expected["score"].to_list()
    untimed = model.recommend(test.drop("time"), k=3)
    assert untimed.sort("session_id", "rank").equals(table.sort("session_id", "rank"))


def test_a_label_that_is_missing_or_new_has_no_row(model: rg.GRU4Rec, test: pl.DataFrame) -> None:
    nothing = model.recommend_one([1, 2], k=4)
    assert model.recommend_one([1, 2], k=4, context={"device": "watch", "shop": None}).equals(nothing)
    assert not model.recommend_one([1, 2], k=4, context={"device": "desk"}).equals(nothing)
    empty = test.with_columns(device=pl.lit("watch"), shop=pl.lit(None, pl.String))
    told = model.recommend(empty, k=4)
    items = empty.filter(pl.col("session_id") == told["session_id"][0])["item_id"].to_list()
    assert model.recommend_one(items, k=4)["score"].to_list() == told["score"].head(4).to_list()


def test_numbers_truths_and_texts_that_say_the_same_are_one_label() -> None:
    log = law(40, 3).with_columns(code=pl.col("item_id") % 3, truth=pl.col("item_id") > 9)
    model = rg.GRU4Rec(context=("code", "truth"), **SMALL).fit(log)
    assert model.moments_ is not None
    assert model.moments_.told()["labels"].to_list() == [3, 2]
    as_texts = log.with_columns(pl.col("code").cast(pl.Float64), truth=pl.col("truth").cast(pl.String))
    assert model.recommend(as_texts, k=2).equals(model.recommend(log, k=2))
    one = model.recommend_one([1], context={"code": 2.0, "truth": True})
    assert one.equals(model.recommend_one([1], context={"code": " 2", "truth": "true"}))


def test_gap_and_hour_are_made_from_the_time(test: pl.DataFrame) -> None:
    model = rg.GRU4Rec(context=("hour", "gap"), **SMALL).fit(law(40, 3))
    assert model.moments_ is not None
    assert model.moments_.told().rows() == [("hour", 24, True), ("gap", 14, True)]
    table = model.recommend(test, k=2)
    last = test.group_by("session_id", maintain_order=True).agg("item_id", pl.col("time").last()).row(3)
    context = {"gap": 40.0, "hour": last[2] // 3600 % 24}
    expected = table.filter(pl.col("session_id") == last[0]).drop("session_id")
    assert model.recommend_one(last[1], k=2, context=context).equals(expected)
    untimed = model.recommend(test.drop("time"), k=2).filter(pl.col("session_id") == last[0])
    assert untimed.drop("session_id").equals(model.recommend_one(last[1], k=2))
    own = test.with_columns(hour=pl.lit("3"))
    with pytest.raises(SchemaError, match="made from the time when it was learned"):
        model.recommend(own)


def test_it_is_saved_and_goes_on(model: rg.GRU4Rec, test: pl.DataFrame, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = rg.GRU4Rec.load(tmp_path / "model")
    assert again.recommend(test, k=3).equals(model.recommend(test, k=3))
    later = law(40, 5, begin=20 * DAY)
    again.partial_fit(later)
    assert (again.network_.moment["labels"] != model.network_.moment["labels"]).any()
    report = rg.prequential(
        model, law(20, 6, begin=30 * DAY), every=timedelta(hours=1), learn=False, cutoffs=(K,)
    )
    assert report.recall[K] > 0.95
    with pytest.raises(ParameterError, match="context"):
        again.set_params(context=("device",)).partial_fit(law(10, 7, begin=40 * DAY))


def test_a_fit_that_was_cut_off_goes_on_to_the_same_bits(train: pl.DataFrame, tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    how = {**SMALL, "context": ("device",), "n_epochs": 2, "checkpoint_dir": tmp_path}
    whole = rg.GRU4Rec(**{**how, "checkpoint_dir": None}).fit(train)
    with pytest.raises(KeyboardInterrupt):
        rg.GRU4Rec(**how).fit(train, on_epoch=stop)
    resumed = rg.GRU4Rec(**how).fit(train)
    for (name, found), (_, expected) in zip(
        resumed.network_.parameters(), whole.network_.parameters(), strict=True
    ):
        assert found.equal(expected), name
    with pytest.raises(rg.errors.CheckpointError, match="other data or parameters"):
        rg.GRU4Rec(**{**how, "context": ("shop",)}).fit(train)


def test_a_piece_of_a_stream_is_learned_with_the_moments_of_its_clicks(train: pl.DataFrame) -> None:
    """Cut in the midst of sessions, so that clicks go before those that are learned."""
    sessions = rg.Sessions.from_events(rg.read_clicks(train, context=("device",)), context=("device",))
    cut = datetime.fromtimestamp(train["time"].sort()[train.height // 2], UTC)
    found = []
    for given in (train, sessions, sessions.numbered_by(sessions.vocabulary)):
        model = rg.GRU4Rec(context=("device",), **SMALL).fit(law(40, 3))
        model.partial_fit(given, since=cut)
        found.append(model.network_.moment["labels"])
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])


REFUSED: dict[str, tuple[Callable[[rg.GRU4Rec, pl.DataFrame], object], type[Exception], str]] = {
    "no column": (lambda m, log: m.recommend(log.drop("device")), SchemaError, "no column 'device'"),
    "no column to evaluate": (lambda m, log: rg.evaluate(m, log.drop("shop")), SchemaError, "'shop'"),
    "sessions that tell nothing": (
        lambda m, log: rg.evaluate(m, rg.Sessions.from_events(rg.read_clicks(log))),
        SchemaError,
        "tell of none",
    ),
    "unknown name": (lambda m, _: m.recommend_one([1], context={"os": "x"}), InputError, "names 'os'"),
    "no label": (lambda m, _: m.recommend_one([1], context={"device": []}), InputError, "as text"),
    "no mapping": (lambda m, _: m.recommend_one([1], context=["x"]), InputError, "expected context as"),  # type: ignore[arg-type]
    "a model that knows none": (
        lambda _, log: rg.Markov().fit(log).recommend_one([1], context={"device": "phone"}),
        ParameterError,
        "Markov knows no context",
    ),
    "a text": (lambda _, log: rg.GRU4Rec(context="device").fit(log), ParameterError, "list of texts"),
    "twice": (lambda _, log: rg.GRU4Rec(context=("a", "a")).fit(log), ParameterError, "different columns"),
    "a role": (lambda _, log: rg.GRU4Rec(context=("time",)).fit(log), ParameterError, "beside session"),
    "a blend": (
        lambda _, log: rg.Blend([rg.GRU4Rec(context=("device",))]).fit(log),
        ParameterError,
        "no context in the members",
    ),
    "a list": (
        lambda _, log: rg.GRU4Rec(context=("x",)).fit(log.with_columns(x=pl.lit([1]))),
        SchemaError,
        "is no label",
    ),
    "nothing but nulls": (
        lambda _, log: rg.GRU4Rec(context=("x",)).fit(log.with_columns(x=pl.lit(None, pl.String))),
        InputError,
        "1 to 10,000 labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", REFUSED)
def test_what_cannot_be_is_refused_in_words(which: str, model: rg.GRU4Rec, test: pl.DataFrame) -> None:
    ask, error, said = REFUSED[which]
    with pytest.raises(error, match=said):
        ask(model, test)


def test_a_damaged_encoding_is_refused(model: rg.GRU4Rec) -> None:
    state = model._state()
    assert Moments.restored(state, ("device", "shop")) is not None
    changes: list[dict[str, NDArray[Any]]] = [
        {"moment/keys": state["moment/keys"][[1, 0, 2]]},
        {"moment/keys": state["moment/keys"][1:]},
        {"weights/moment.labels": np.zeros((2, 12), np.float32)},
        {"moment/columns": np.array([300], np.int32)},
    ]
    for change in changes:
        with pytest.raises(InputError, match="expected"):
            Moments.restored(state | change, ("device", "shop"))
    with pytest.raises(InputError, match="labels of the context"):
        Moments.restored(state, ("device",))
    with pytest.raises(InputError, match="missing"):
        Moments.restored({}, ("device",))


def test_clicks_that_count_nothing_are_not_learned_and_weights_of_one_change_no_bit() -> None:
    """Carts follow the device before them, views do not: told to learn carts alone, it learns these."""
    log = law(200, 1).with_columns(event=pl.Series(np.random.default_rng(4).choice(["view", "cart"], 800)))
    odd = pl.col("item_id") + 30 * (pl.col("event") == "view") * (pl.col("position") > 0)
    log = log.with_columns(position=pl.int_range(4).over("session_id")).with_columns(item_id=odd)
    how = {**SMALL, "context": ("device", "event")}
    plain = rg.GRU4Rec(**how).fit(log)
    same = rg.GRU4Rec(target_weights={"event": {"view": 1.0, "cart": 1}}, **how).fit(log)
    carts = rg.GRU4Rec(target_weights={"event": {"view": 0.0}}, **how).fit(log)
    assert same.recommend(log, k=3).equals(plain.recommend(log, k=3))
    told = {"device": "phone", "event": "view"}
    for model, most in ((plain, 5), (carts, 0)):
        found = model.recommend_one([1], k=10, exclude_seen=False, context=told)["item_id"]
        assert (found.filter(found >= 30).len() >= most) if most else found.is_between(10, 19).all()
    given: dict[str, Any] = carts.get_params()
    assert rg.GRU4Rec(**given).parameters() == carts.parameters()
    with pytest.raises(InputError, match="names 'carts'"):
        rg.GRU4Rec(target_weights={"event": {"carts": 2.0}}, **how).fit(log)
    for wrong in ({"os": {"x": 1.0}}, {"event": {"cart": -1.0}}, {"event": 3.0}, ["event"]):
        with pytest.raises(ParameterError, match="target_weights"):
            rg.GRU4Rec(target_weights=wrong, **how).fit(log)  # type: ignore[arg-type] # wrong on purpose
