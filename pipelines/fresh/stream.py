"""The model that learns, where it stands, and what a process that stays keeps of it."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from recsys_gru import engines

from ..plumbing.errors import BadInputError
from ..plumbing.periods import midnight
from ..plumbing.settings import Settings
from ..plumbing.versions import Version, current
from ..plumbing.workshop import Facts
from ..stages.champion import day_of, registry_of, serving

if TYPE_CHECKING:
    from recsys_gru import Recommender


@dataclass
class Stream:
    """The model that learns, and where it stands.

    Attributes:
        base: the champion's version from which it goes on.
        frozen: that champion, as it is.
        model: has learned every click from the champion's last one up to ``until``.
        rows: the ledger of what was published.
        pending: the ledger of what was learned since.
        good: the version that serves, if there is one: of another champion too.
    """

    base: int
    frozen: "Recommender"
    model: "Recommender"
    until: datetime
    rows: list[Facts]
    good: Version | None
    pending: list[Facts] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether nothing lies between the version that serves and this period's clicks."""
        return self.good is not None and self.good.base == self.base and not self.pending


@dataclass
class Memory:
    """What a process keeps between its runs.

    Attributes:
        stream: after a run that was published to its end; what was refused or failed is never gone on from.
        ending: whether the process shall end: it does after the period at work.
    """

    stream: Stream | None = None
    ending: bool = False


def begin(settings: Settings, memory: Memory) -> Stream:
    """The last fresh version, if it goes on from the present champion; else the champion.

    Raises:
        BadInputError: if no champion serves yet, or it cannot go on learning.
    """
    from recsys_gru import load

    base, good = serving(settings), current(settings)
    if base is None:
        raise BadInputError(
            f"expected a champion to go on from, none serves yet: {settings.command('nightly')} first"
        )
    known, memory.stream = memory.stream, None
    if known is not None and known.base == base and known.goes_on and known.good == good:
        return known
    rows = [] if good is None else good.ledger()
    ours = good if good is not None and good.base == base else None
    frozen, model = engines.both(
        lambda: registry_of(settings).load(base), lambda: None if ours is None else load(ours.model)
    )
    if not hasattr(frozen, "partial_fit"):
        raise BadInputError(
            f"expected a champion that can go on learning, got {type(frozen).__name__} without partial_fit"
        )
    if ours is not None and model is not None:
        return Stream(base, frozen, model, ours.until, rows, ours)
    until = _end_of(frozen, day_of(settings, base))
    return Stream(base, frozen, deepcopy(frozen), until, rows, good)


def _end_of(champion: "Recommender", tested_on: date | None) -> datetime:
    """Until when a champion has learned: the midnight that begins the day it was tested on.

    What lies before that midnight and after its last click was left out on purpose, such as rare items.

    Raises:
        BadInputError: if nothing says so.
    """
    span = champion.span_
    if span is None:
        raise BadInputError("expected a champion that says until when it has learned, got one of before that")
    after = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=span[1] + 1)
    day = None if tested_on is None else midnight(tested_on)
    return after if day is None or day < after else day
