"""A model that is ready to answer, and the ids that go with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from recsys_gru.contract import Begun, Context, Question, Ranking, Recommender, answer
from recsys_gru.errors import RecsysError
from recsys_gru.serving.states import Ids, Numbers, States, Walked

GOLDEN_ITEMS, GOLDEN_K = 3, 5
SIZES = (1, 2, 32)
"""Requests at once that a new model answers before it serves: what is made at first use is made then."""


@final
class UnfitError(RecsysError):
    """A model that does not answer as it must."""


@final
@dataclass(frozen=True, eq=False)
class Served:
    """A fitted recommender under the name of its version."""

    model: Recommender
    version: str

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.model).__name__

    @property
    def n_items(self) -> int:
        """Items of the catalogue."""
        return len(self.model.vocabulary_)

    @property
    def until(self) -> float | None:
        """Seconds since 1970 of the youngest click learned; None where the model does not say."""
        span = self.model.span_
        return None if span is None else span[1] / 1e6

    def unclicked(self, numbers: Numbers) -> list[int]:
        """Which of some items (R,) no click was learned of: facts alone recommend them."""
        vocabulary = self.model.vocabulary_
        if not vocabulary.has_unclicked:
            return []
        places: list[int] = np.flatnonzero(vocabulary.support[numbers] == 0).tolist()
        return places

    @cached_property
    def ids(self) -> list[int | str]:
        """The id of each number."""
        found: list[int | str] = self.model.vocabulary_.ids.to_list()
        return found

    @property
    def n_named(self) -> int:
        """Items that have a name."""
        names = self.model.vocabulary_.names
        return 0 if names is None else names.count()

    def name(self, number: int) -> str | None:
        """What people call the item of a number."""
        names = self.model.vocabulary_.names
        return None if names is None else names[number]

    def found(self, text: str, k: int) -> list[int]:
        """The numbers of at most k items: that of this id, then those whose names hold every word of it."""
        own = self.number(text)
        named: list[int] = self.model.vocabulary_.resembling(text, k).tolist()
        return [*([own] if own >= 0 else []), *(one for one in named if one != own)][:k]

    @cached_property
    def _whole(self) -> bool:
        return bool(self.ids) and isinstance(self.ids[0], int)

    def number(self, one: int | str) -> int:
        """The number of an id, -1 where it is unknown; 12 and "12" are one id."""
        vocabulary = self.model.vocabulary_
        if isinstance(one, int):
            return vocabulary.number(one if self._whole else str(one))
        one = one.strip()
        if not self._whole:
            return vocabulary.number(one)
        plain = one.removeprefix("-")
        return vocabulary.number(int(one)) if plain.isascii() and plain.isdigit() else -1

    def numbers(self, ids: Sequence[int | str]) -> Numbers:
        """The numbers of the known ones of some ids, in their order."""
        whole, number = self._whole, self.model.vocabulary_.number
        known = [number(one) if whole and type(one) is int else self.number(one) for one in ids]
        found = np.array(known, dtype=np.int32)
        return found[found >= 0]

    @cached_property
    def states(self) -> States:
        """What the model has made of the sessions in memory."""
        return States()

    def walked(self, ids: Sequence[int | str]) -> Walked:
        """Some clicks as the model knows them."""
        numbers = self.numbers(ids)
        return Walked(numbers, len(ids) - len(numbers))

    def after(self, session: str, before: Ids, item: int | str) -> Walked:
        """A session's clicks and one more, from where the model has come with them."""
        known = self.states.find(session, before)
        if known is None:
            return self.walked((*before, item))._replace(begun=Begun())
        return known.followed_by(self.number(item))

    def known(self, context: Context | None) -> Context | None:
        """What the model wants of a context; None where that is nothing.

        Raises:
            InputError: a value is no label.
        """
        names = self.model.context_names
        found = {name: value for name, value in (context or {}).items() if name in names}
        if found:
            self.model.moment_of([found], [0], 1)
        return found or None

    def rank(self, questions: Sequence[Question]) -> list[Ranking]:
        """The answers to many questions."""
        return answer(self.model, questions)

    def similar(self, number: int, k: int) -> tuple[list[int | str], list[float]]:
        """The items most like one of them, and their scores."""
        table = self.model.similar_items(self.ids[number], k)
        return table["item_id"].to_list(), table["score"].to_list()

    @cached_property
    def golden(self) -> Question:
        """A session of items that the model knows; it must be answered with at least one item."""
        items = np.arange(min(GOLDEN_ITEMS, self.n_items), dtype=np.int32)
        return Question(items, GOLDEN_K)

    def warm(self) -> "Served":
        """The same, after it has answered as it will be asked.

        Raises:
            UnfitError: if an answer is empty or no number.
        """
        golden, nothing = self.golden, Question(self.golden.items[:0], GOLDEN_K)
        barred, allowed = replace(golden, barred=golden.items), replace(golden, allowed=golden.items)
        for size in SIZES:
            for ranking in self.rank([golden] * size):
                require_answer(ranking)
            self.rank([barred] * size)
            self.rank([allowed] * size)
            self.rank([replace(golden, begun=Begun())] * size)
        require_answer(self.rank([nothing])[0])
        self.number("")
        return self


def require_answer(ranking: Ranking) -> None:
    """Refuse an answer without items, or with scores that are no numbers.

    Raises:
        UnfitError: saying what came.
    """
    if not len(ranking.items) or not np.isfinite(ranking.scores).all():
        raise UnfitError(
            f"expected items with finite scores for a golden request, got {len(ranking.items)} items with "
            f"scores {ranking.scores.tolist()}"
        )
