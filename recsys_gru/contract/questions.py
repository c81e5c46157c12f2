"""Many sessions asked at once, by item numbers: for those who serve, where a frame a request is too dear."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from recsys_gru.contract.answers import Informed, sessions_of
from recsys_gru.contract.going_on import Begun, GoesOn
from recsys_gru.errors import ParameterError
from recsys_gru.facts import Context
from recsys_gru.ranking import Block, Candidates, popularity_block, top_k
from recsys_gru.sessions import Sessions

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
        begun: how far the model has come with the session, as an earlier answer told; `Begun()` for a new
            session of which that is to be kept.
    """

    items: Numbers
    k: int = 20
    barred: Numbers = field(default_factory=lambda: NO_NUMBERS)
    allowed: Numbers | None = None
    context: Context | None = None
    begun: Begun | None = None


class Ranking(NamedTuple):
    """The best items of one session: numbers (R,), scores (R,), whether popularity answers, and how far the
    model has come with it, where that was asked for and the model is one that goes on."""

    items: Numbers
    scores: NDArray[np.float32]
    popular: bool
    begun: Begun | None = None


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
    for block, after in _blocks(model, sessions, questions):
        owners = np.searchsorted(sessions.offsets, block.rows, side="right") - 1
        ranked = _ranked(block, [questions[owner] for owner in owners.tolist()])
        for owner, begun, best in zip(owners.tolist(), after, ranked, strict=True):
            found[owner] = Ranking(*best, popular=False, begun=begun)
    if (empty := np.flatnonzero(sessions.lengths == 0)).size:
        ranked = _ranked(
            popularity_block(model.vocabulary_, empty), [questions[owner] for owner in empty.tolist()]
        )
        for owner, best in zip(empty.tolist(), ranked, strict=True):
            found[owner] = Ranking(*best, popular=True)
    return [ranking for ranking in found if ranking is not None]


def _blocks(
    model: Informed, sessions: Sessions, questions: Sequence[Question]
) -> Iterator[tuple[Block, Sequence[Begun | None]]]:
    """The scores of each session, and how far the model has come with those of which that is asked."""
    if isinstance(model, GoesOn) and any(question.begun is not None for question in questions):
        yield from model.blocks_after(sessions, [question.begun for question in questions])
        return
    for block in model.blocks(sessions, every=False):
        yield block, [None] * len(block.rows)


def _ranked(block: Block, asked: Sequence[Question]) -> Iterator[tuple[Numbers, NDArray[np.float32]]]:
    """The best items of each row of a block, and their scores."""
    most = max((question.k for question in asked if question.allowed is None), default=0)
    if most:
        items, scores = top_k(block, min(most, block.n_items), _candidates(asked, block.n_items))
        there = np.count_nonzero(items >= 0, axis=1).tolist()
    for row, question in enumerate(asked):
        if question.allowed is None:
            best = min(question.k, there[row])
            yield items[row, :best], scores[row, :best]
        else:
            yield _of_listed(block, row, question.allowed, question)


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
