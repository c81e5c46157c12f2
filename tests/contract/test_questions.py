"""Many sessions asked at once, by item numbers: every recommender gives the numbers of recommend."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from recsys_gru.contract import Begun, Question, Ranking, Recommender, answer
from recsys_gru.errors import NonFiniteScoresError, ParameterError
from recsys_gru.ranking import MatrixBlock
from recsys_gru.sessions import Vocabulary

NOTHING = np.empty(0, dtype=np.int32)


def numbers_of(model: Recommender, ids: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    """The numbers of the known ones of some ids."""
    found = [model.vocabulary_.number(one) for one in ids]
    return np.array([number for number in found if number >= 0], dtype=np.int32)


def sessions_of(live: pl.DataFrame) -> list[list[int]]:
    """The ids of each session, in order."""
    return live.group_by("session_id", maintain_order=True).agg("item_id")["item_id"].to_list()


def require_same(model: Recommender, ranking: Ranking, table: pl.DataFrame) -> None:
    """The same items, the same bits, the same source."""
    assert model.vocabulary_.take(ranking.items).to_list() == table["item_id"].to_list()
    np.testing.assert_array_equal(ranking.scores, table["score"].to_numpy())
    assert set(table["source"]) <= {"popularity" if ranking.popular else "model"}


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_answers_are_those_of_recommend_to_the_bit(
    model: Recommender, live: pl.DataFrame, exclude_seen: bool
) -> None:
    asked = [numbers_of(model, ids) for ids in sessions_of(live)]
    questions = [Question(items, 5, items if exclude_seen else NOTHING) for items in asked]
    table = model.recommend(live, k=5, exclude_seen=exclude_seen)
    for ranking, (_, rows) in zip(
        answer(model, questions), table.group_by("session_id", maintain_order=True), strict=True
    ):
        require_same(model, ranking, rows)


def test_a_recommender_goes_on_from_an_answer_or_begins_anew_to_the_same_bits(
    model: Recommender, live: pl.DataFrame
) -> None:
    wholes = [Question(numbers_of(model, ids), 5) for ids in sessions_of(live)]
    firsts = answer(model, [replace(one, items=one.items[:1], begun=Begun()) for one in wholes])
    later = [replace(one, begun=first.begun) for one, first in zip(wholes, firsts, strict=True)]
    for found, expected in zip(answer(model, later), answer(model, wholes), strict=True):
        assert np.array_equal(found.items, expected.items)
        assert np.array_equal(found.scores, expected.scores)


def test_each_question_has_its_own_k_and_lists(model: Recommender, live: pl.DataFrame) -> None:
    first, second, third = sessions_of(live)[:3]
    deny, allow = [103, 104], [105, 106, 107]
    told = answer(
        model,
        [
            Question(numbers_of(model, first), 3, numbers_of(model, deny)),
            Question(numbers_of(model, second), 2, numbers_of(model, second), numbers_of(model, allow)),
            Question(numbers_of(model, third), 50),
            Question(NOTHING, 4),
            Question(NOTHING, 4, allowed=numbers_of(model, allow)),
            Question(numbers_of(model, first), allowed=NOTHING),
        ],
    )
    require_same(model, told[0], model.recommend_one(first, 3, exclude_seen=False, deny=deny))
    left = [one for one in allow if one not in second]
    expected = model.recommend_one(second, 2, exclude_seen=False, allow=left) if left else None
    assert len(told[1].items) == 0 if expected is None else True
    if expected is not None:
        require_same(model, told[1], expected)
    require_same(model, told[2], model.recommend_one(third, 50, exclude_seen=False))
    require_same(model, told[3], model.recommend_one([], 4))
    require_same(model, told[4], model.recommend_one([], 4, allow=allow))
    assert len(told[5].items) == 0
    assert not answer(model, [])


def test_a_k_below_one_is_refused(model: Recommender) -> None:
    with pytest.raises(ParameterError, match="k of at least 1"):
        answer(model, [Question(NOTHING, 0)])


class Broken:
    """A scorer whose scores are no numbers."""

    vocabulary_ = Vocabulary(pl.Series(["a", "b"]), np.array([1, 1]))

    def blocks(self, sessions: object, every: bool, rows: int = 1) -> "list[MatrixBlock]":
        del sessions, every, rows
        return [MatrixBlock(np.array([0]), np.array([[np.nan, 1.0]], dtype=np.float32))]


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(NonFiniteScoresError):
        answer(Broken(), [Question(np.array([0], dtype=np.int32))])  # type: ignore[arg-type]
