"""Many sessions asked at once, by item numbers: for those who serve, where a frame a request is too dear."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract.answers import Informed, sessions_of
from recsys_gru.errors import ParameterError
from recsys_gru.facts import Context
from recsys_gru.ranking import Block, Candidates, popularity_block, top_k

Numbers = NDArray[np.int32]
NO_NUMBERS: Numbers = np.empty(0, dtype=np.int32)


@final
@dataclass(frozen=True, eq=False)
class Question:
    """What is asked about one session; all items by their numbers in the vocabulary.

    Attributes:
        items: (L,) int32, oldest first; none at all is answered by popularity.
        k: items wanted, 1 or more.
        barred: (B,) int32, never to be given: what is denied, and what was seen if that is not to come again.
        allowed: (A,) int32, only these are given; None: all.
        context: what is known about the moment of the last click, by name.
    """

    items: Numbers
    k: int = 20
    barred: Numbers = field(default_factory=lambda: NO_NUMBERS)
    allowed: Numbers | None = None
    context: Context | None = None


class Ranking(NamedTuple):
    """The best items of one session: numbers (R,), scores (R,), and whether popularity answers."""

    items: Numbers
    scores: NDArray[np.float32]
    popular: bool


def answer(model: Informed, questions: Sequence[Question]) -> list[Ranking]:
    """Rank the best next items of many sessions in one pass over the catalogue, exactly.

    The items and scores are those that ``recommend`` gives, to the bit.

    Raises:
        ParameterError: if a k is below 1.
        NonFiniteScoresError: if a score is NaN or infinite.

    >>> from recsys_gru import Markov
    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = Markov().fit(clicks_of("abc", "abd", "abc"))
    >>> seen = np.array([0, 1], dtype=np.int32)
    >>> model.vocabulary_.take(answer(model, [Question(seen, k=2, barred=seen)])[0].items).to_list()
    ['c', 'd']
    """
    if not questions:
        return []
    if (least := min(question.k for question in questions)) < 1:
        raise ParameterError(f"expected k of at least 1 item, got {least}: ask for one item or more")
    sessions = sessions_of([question.items for question in questions], model.vocabulary_)
    if any(question.context for question in questions):
        there = [place for place, one in enumerate(questions) if one.context and len(one.items)]
        told, ends = [questions[place].context for place in there], sessions.offsets[1:][there] - 1
        sessions = replace(sessions, moment=model.moment_of(told, ends.tolist(), sessions.n_events))
    found: list[Ranking | None] = [None] * len(questions)
    for block in model.blocks(sessions, every=False):
        owners = np.searchsorted(sessions.offsets, block.rows, side="right") - 1
        _rank(block, owners, questions, found, popular=False)
    if (empty := np.flatnonzero(sessions.lengths == 0)).size:
        _rank(popularity_block(model.vocabulary_, empty), empty, questions, found, popular=True)
    return [ranking for ranking in found if ranking is not None]


def _rank(
    block: Block,
    owners: NDArray[np.int64],
    questions: Sequence[Question],
    found: list[Ranking | None],
    *,
    popular: bool,
) -> None:
    """Answer the questions (Q,) whose scores are in a block."""
    asked = [questions[owner] for owner in owners]
    if any(question.allowed is None for question in asked):
        k = min(max(question.k for question in asked if question.allowed is None), block.n_items)
        items, scores = top_k(block, k, _candidates(asked, block.n_items))
        for row, (owner, question) in enumerate(zip(owners, asked, strict=True)):
            if question.allowed is None:
                best = min(question.k, k, int(np.count_nonzero(items[row] >= 0)))
                found[owner] = Ranking(items[row, :best], scores[row, :best], popular)
    for row, (owner, question) in enumerate(zip(owners, asked, strict=True)):
        if question.allowed is not None:
            found[owner] = Ranking(*_of_listed(block, row, question.allowed, question), popular)


def _candidates(asked: Sequence[Question], n_items: int) -> Candidates | None:
    """Who may be given to each row; None where nothing is barred."""
    sizes = [0 if question.allowed is not None else len(question.barred) for question in asked]
    if not any(sizes):
        return None
    items = np.concatenate([one.barred[:size] for one, size in zip(asked, sizes, strict=True)])
    rows = np.repeat(np.arange(len(asked)), sizes)
    order = np.argsort(items, kind="stable")
    moments = np.zeros(len(asked), dtype=np.int64)
    return Candidates(np.ones(n_items, dtype=np.bool_), None, moments, items[order], rows[order])


def _of_listed(
    block: Block, row: int, allowed: Numbers, question: Question
) -> tuple[Numbers, NDArray[np.float32]]:
    """The best of the allowed items alone: no others are scored."""
    items = np.setdiff1d(allowed, question.barred).astype(np.int32)
    if not items.size:
        return items, np.empty(0, dtype=np.float32)
    scores = block.own(items, np.full(len(items), row))
    order = np.lexsort((items, -scores))[: question.k]
    return items[order], scores[order]
