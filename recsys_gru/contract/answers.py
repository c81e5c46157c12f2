"""From blocks of scores to ranked items per session; popularity where a session has no known item."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Protocol, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import flag
from recsys_gru.engines import EngineLike, engine_in
from recsys_gru.errors import ParameterError
from recsys_gru.facts import Context
from recsys_gru.ranking import PREFIXES, BoundFilter, ItemFilter, Scorer, context_of, popularity_block, top_k
from recsys_gru.ranking.fallback import candidates_of_nothing, last_unknown
from recsys_gru.sessions import (
    SessionData,
    Sessions,
    Vocabulary,
    asked_numbers,
    asked_sessions,
    parts_of,
    within,
)

log = logging.getLogger("recsys_gru")

SOURCES = pl.Series("source", ["model", "popularity", "facts"])

Allowed = Iterable[int | str] | ItemFilter | None


class Informed(Scorer, Protocol):
    """A scorer that can be told of the moment of a click: every recommender of this library is one."""

    def moment_of(
        self, told: Sequence[Context | None], ends: Sequence[int], height: int
    ) -> pl.DataFrame | None:
        """What is told of the events at ``ends``, among so many, as packed sessions have it.

        Raises:
            ParameterError: a name is not known, or a value is no label.
        """
        ...


@final
@dataclass(frozen=True, eq=False)
class Answers:
    """A ranked items of all sessions, session after session, best first.

    Attributes:
        session: (A,) index of the session.
        rank: (A,) 1-based place in that session's list.
        items: (A,) item numbers.
        scores: (A,) the scorer's scores, or shares of all training events where popularity answers.
        popular: (A,) whether popularity answers.
    """

    session: NDArray[np.int64]
    rank: NDArray[np.int64]
    items: NDArray[np.int32]
    scores: NDArray[np.float32]
    popular: NDArray[np.bool_]

    def columns(self, vocabulary: Vocabulary) -> dict[str, pl.Series]:
        """The columns rank, item_id, score and source."""
        return {
            "rank": pl.Series(self.rank.astype(np.int32)),
            "item_id": vocabulary.take(self.items),
            "score": pl.Series(self.scores),
            "source": self._sources(vocabulary),
        }

    def _sources(self, vocabulary: Vocabulary) -> pl.Series:
        if not vocabulary.has_unclicked and not self.popular.any():  # nearly always, and ten times as fast
            return SOURCES.new_from_index(0, len(self.popular))
        of_facts = 2 * (vocabulary.support[self.items] == 0)
        return SOURCES[np.where(self.popular, 1, of_facts).astype(np.uint32)]


def ranked_items(scorer: Scorer, sessions: Sessions, k: int, bound: BoundFilter) -> Answers:
    """The k best items that the filter lets pass, for every session.

    Raises:
        NonFiniteScoresError: if a score is NaN or infinite.
    """
    shape = (sessions.n_sessions, min(k, len(sessions.vocabulary)))
    items, scores = np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.float32)
    for block in scorer.blocks(sessions, every=False, rows=PREFIXES):
        owner = np.searchsorted(sessions.offsets, block.rows, side="right") - 1  # (Q,)
        items[owner], scores[owner] = top_k(block, shape[1], bound.candidates(block.rows))
    popular = sessions.lengths == 0  # (n,)
    for start in range(0, int(popular.sum()), PREFIXES):
        owner = np.flatnonzero(popular)[start : start + PREFIXES]
        items[owner], scores[owner] = _popular_items(sessions, owner, shape[1], bound)
    session, place = np.nonzero(items >= 0)
    return Answers(session, place + 1, items[session, place], scores[session, place], popular[session])


def of_sessions(
    model: Scorer,
    sessions: SessionData,
    k: int,
    exclude_seen: bool,
    allow: Allowed,
    deny: Iterable[int | str] | None,
    engine: EngineLike,
) -> pl.DataFrame:
    """The k best next items of every session, as ``recommend`` tells them."""
    vocabulary = model.vocabulary_
    packed, timed = asked_sessions(sessions, vocabulary, context_of(model))
    log_unknown(packed.unknown.height, packed.n_events, packed.n_sessions)
    if not isinstance(allow, ItemFilter):  # what can be read only once is read
        allow, deny = ItemFilter(allow=allow, deny=deny, exclude_seen=exclude_seen), None
    bound = bound_filter(packed, exclude_seen, allow, deny)
    if not timed:
        require_moment(bound, "a log without a column of times")
    with engine_in(engine) as moving:
        parts = [packed] if moving.parts == 1 else parts_of(packed, moving.parts)
        answer = partial(_answered, moving.lend(model), k, exclude_seen, allow)
        return pl.concat(moving.map(answer, parts))


def _answered(
    lent: Callable[[], Scorer], k: int, exclude_seen: bool, allow: ItemFilter, part: Sessions
) -> pl.DataFrame:
    """The answer for a part of the sessions, wherever the model is."""
    model = lent()
    packed = within(part, model.vocabulary_)
    found = ranked_items(model, packed, k, bound_filter(packed, exclude_seen, allow, None))
    return pl.DataFrame({"session_id": packed.ids.gather(found.session), **found.columns(packed.vocabulary)})


def of_one(
    model: Informed,
    items: Iterable[int | str],
    k: int,
    exclude_seen: bool,
    allow: Allowed,
    deny: Iterable[int | str] | None,
    context: Context | None,
) -> pl.DataFrame:
    """The k best next items of one raw session, as ``recommend_one`` tells them."""
    vocabulary = model.vocabulary_
    numbers = asked_numbers(vocabulary, items, "items")
    known = numbers[numbers >= 0]
    end = [len(known) - 1] if len(known) else []
    moment = model.moment_of([context] * len(end), end, len(known)) if context else None
    packed = one_session(known, vocabulary, moment)
    log_unknown(len(numbers) - packed.n_events, packed.n_events, 1)
    bound = bound_filter(packed, exclude_seen, allow, deny)
    require_moment(bound, "a raw session")
    return pl.DataFrame(ranked_items(model, packed, k, bound).columns(vocabulary))


def known_in(model: Scorer, sessions: SessionData) -> dict[str, int]:
    """How much of some sessions a model knows."""
    packed, _ = asked_sessions(sessions, model.vocabulary_, context_of(model))
    return {
        "sessions": packed.n_sessions,
        "known_clicks": packed.n_events,
        "unknown_clicks": packed.unknown.height,
        "unknown_sessions": int((packed.lengths == 0).sum()),
    }


def bound_filter(
    sessions: Sessions, exclude_seen: bool, allow: Allowed, deny: Iterable[int | str] | None
) -> BoundFilter:
    """One filter for these sessions from the arguments of ``recommend``; ``allow`` may be an ItemFilter
    itself.

    Raises:
        ParameterError: if a list of ids is none, or an ItemFilter comes with further ids to deny.
        InputError: if no known item is left.
    """
    if not isinstance(allow, ItemFilter):
        return ItemFilter(allow=allow, deny=deny, exclude_seen=exclude_seen).bind(sessions)
    if deny is not None:
        raise ParameterError("expected deny inside the ItemFilter, got both: ItemFilter(deny=[...]) takes it")
    seen_too = flag("exclude_seen", exclude_seen) or allow.exclude_seen
    return replace(allow.bind(sessions), exclude_seen=seen_too)


def require_moment(bound: BoundFilter, what: str) -> None:
    """Refuse a filter with availability that would look for the times of sessions which have none.

    Raises:
        ParameterError: if it has no moment of its own.
    """
    if bound.live is not None and bound.at is None:
        raise ParameterError(f"{what} has no times: give the moment that counts, ItemFilter(..., at=moment)")


def similar(vocabulary: Vocabulary, number: int, k: int, scores: NDArray[np.float32]) -> pl.DataFrame:
    """The k items of the highest finite scores (N,), the item itself left out: rank, item_id, score."""
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order]) & (order != number)][:k]
    return pl.DataFrame(
        {
            "rank": pl.Series(np.arange(1, len(order) + 1, dtype=np.int32)),
            "item_id": vocabulary.take(order),
            "score": pl.Series(scores[order], dtype=pl.Float32),
        }
    )


def log_unknown(unknown: int, known: int, n_sessions: int) -> None:
    """Log what was left out, if anything was."""
    if unknown:
        log.info("%d of %d clicks in %d sessions are on unknown items", unknown, unknown + known, n_sessions)


def one_session(
    items: NDArray[np.int32], vocabulary: Vocabulary, moment: pl.DataFrame | None = None
) -> Sessions:
    """A single session of known items without times."""
    return sessions_of([items], vocabulary, moment)


def sessions_of(
    items: Sequence[NDArray[np.int32]], vocabulary: Vocabulary, moment: pl.DataFrame | None = None
) -> Sessions:
    """Sessions of known items without times, and what is known about the moments of their clicks."""
    offsets = np.zeros(len(items) + 1, dtype=np.int64)
    np.cumsum([len(one) for one in items], out=offsets[1:])
    together = items[0] if len(items) == 1 else np.concatenate(items)
    return Sessions(
        items=together,
        offsets=offsets,
        times=np.zeros(len(together), dtype=np.int64),
        ids=_numbered(len(items)),
        vocabulary=vocabulary,
        unknown=_NONE_UNKNOWN,
        moment=moment,
    )


def _popular_items(
    sessions: Sessions, owner: NDArray[np.int64], k: int, bound: BoundFilter
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k most popular items for sessions (Q,) that hold no known item."""
    moments = last_unknown(sessions, sessions.unknown)[owner]
    return top_k(popularity_block(sessions.vocabulary, owner), k, candidates_of_nothing(bound, moments))


@lru_cache(maxsize=128)
def _numbered(count: int) -> pl.Series:
    """Ids of sessions that have none; a series takes long to make beside a service's pass."""
    return pl.Series("session_id", np.arange(count))


_NONE_UNKNOWN = pl.DataFrame(
    schema={
        "session_id": pl.Int64,
        "position": pl.Int64,
        "item_id": pl.String,
        "time": pl.Datetime("us", "UTC"),
    }
)
