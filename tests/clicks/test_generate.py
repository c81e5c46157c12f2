"""The generated log follows the law that it says it follows."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from recsys_gru.clicks import check_clicks, generate_clicks, planted_law
from recsys_gru.errors import ParameterError
from recsys_gru.sessions import Sessions


def test_equal_seeds_give_equal_logs_and_other_seeds_others() -> None:
    log = generate_clicks(500, 100, days=3, seed=1)
    assert log.equals(generate_clicks(500, 100, days=3, seed=1))
    assert not log.equals(generate_clicks(500, 100, days=3, seed=2))


def test_parts_have_other_sessions_under_the_same_law() -> None:
    one, two = (generate_clicks(500, 100, days=3, seed=1, part=part) for part in (0, 1))
    assert set(one["session_id"]).isdisjoint(two["session_id"])
    assert not one["item_id"].equals(two["item_id"])


def test_a_log_has_the_sizes_asked_for_and_passes_the_checks() -> None:
    log = generate_clicks(2_000, 300, days=7, seed=3, mean_length=4.0)
    sessions = Sessions.from_events(check_clicks(log).clicks)
    assert log["session_id"].n_unique() == 2_000
    assert 3.7 < log.height / 2_000 < 4.3
    assert len(sessions.vocabulary) <= 300
    assert log["time"].max() - log["time"].min() < timedelta(days=7)  # type: ignore[operator]


def test_text_ids_stand_one_for_one_for_the_numbers_and_look_like_those_of_a_shop() -> None:
    numbers = generate_clicks(500, 100, days=3, seed=1)
    text = generate_clicks(500, 100, days=3, seed=1, text_ids=True)
    for name, length in (("session_id", 36), ("item_id", 16)):
        pairs = pl.DataFrame({"number": numbers.sort("time", maintain_order=True)[name], "text": text[name]})
        assert set(text[name].str.len_bytes()) == {length}
        assert text[name].n_unique() == numbers[name].n_unique() <= pairs.n_unique()
    assert text["session_id"].str.contains(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").all()
    assert text["time"].equals(numbers["time"])
    assert Sessions.from_events(text).lengths.sum() == numbers.height


def test_popularity_is_skewed() -> None:
    counts = generate_clicks(5_000, 500, seed=4)["item_id"].value_counts(sort=True)["count"].to_numpy()
    assert counts[:50].sum() > 0.3 * counts.sum()


def test_next_clicks_follow_the_planted_law() -> None:
    log = generate_clicks(60_000, 100, seed=5)
    law = planted_law(100, seed=5)
    sessions = Sessions.from_events(log)
    items = sessions.vocabulary.take(sessions.items).to_numpy()
    inner = np.ones(len(items), dtype=bool)
    inner[sessions.offsets[1:] - 1] = False
    pairs = np.flatnonzero(inner)
    ordinary = int(np.argmax(np.where(law.taste_of >= 0, np.bincount(items[pairs], minlength=100), 0)))
    nexts = items[pairs[items[pairs] == ordinary] + 1]
    seen = np.bincount(nexts, minlength=100) / len(nexts)
    expected = law.next_probabilities(0, ordinary)
    assert np.abs(seen - expected).max() < 4 * np.sqrt(0.25 / len(nexts))


def test_after_a_hub_the_taste_of_the_session_decides() -> None:
    law = planted_law(1_000, seed=6)
    hub, ordinary = (int(np.flatnonzero(law.taste_of == -1)[0]), int(np.flatnonzero(law.taste_of >= 0)[0]))
    assert not np.array_equal(law.successors[0, hub], law.successors[1, hub])
    assert np.array_equal(law.successors[0, ordinary], law.successors[1, ordinary])


@pytest.mark.parametrize("items", [1, 2, 15])
def test_tiny_catalogues_work(items: int) -> None:
    log = generate_clicks(50, items, days=1, seed=0)
    assert log["item_id"].is_in(pl.Series(range(items))).all()


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least 1"):
        generate_clicks(0)
    with pytest.raises(ParameterError, match="n_items"):
        planted_law(0)
