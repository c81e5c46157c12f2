"""The members of a mixture: as plain values, made of these; their going on; their arrays among others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from recsys_gru.arguments import shown
from recsys_gru.contract import Incremental, Recommender, new_recommender, recommender_class
from recsys_gru.engines import on_threads
from recsys_gru.errors import ParameterError
from recsys_gru.files import Field
from recsys_gru.recommender import RECOMMENDED
from recsys_gru.sessions import Sessions, renumbered

USUAL: tuple[Mapping[str, Any], ...] = (
    {"model": "GRU4Rec", **RECOMMENDED},
    {"model": "GRU4Rec", **RECOMMENDED, "scale": 0.0, "look_back": 0, "repeats": 0},
    {"model": "VMISKNN"},
    {"model": "ItemKNN"},
    {"model": "Markov"},
    {"model": "Repeats"},
    {"model": "Popularity"},
    {"model": "RecentPopularity", "half_life": 1 / 96},
)
"""The recommended members, chosen on validation parts of the development logs (docs/log.md)."""


def told(model: Recommender) -> dict[str, object]:
    """A recommender as plain values, from which ``made`` makes an unfitted twin.

    >>> from recsys_gru.baselines import Repeats
    >>> told(Repeats()), made(told(Repeats()))
    ({'model': 'Repeats', 'reach': 20}, Repeats(reach=20))
    """
    return {"model": type(model).__name__, **model.parameters()}


def made(told: Recommender | Mapping[str, Any]) -> Recommender:
    """An unfitted twin of a recommender, or one that is told by its class and hyper-parameters.

    Raises:
        ParameterError: if it is neither.
    """
    if isinstance(told, Recommender):
        return type(told)(**told.parameters())
    if not isinstance(told, Mapping) or not isinstance(told.get("model"), str):
        raise ParameterError(f"expected models as recommenders, got {shown(told)} among them")
    own = {name: value for name, value in told.items() if name != "model"}
    return new_recommender(recommender_class(told["model"]), own)


def go_on(
    members: Sequence[Recommender],
    sessions: Sessions,
    of_networks: Mapping[str, Any],
    beside: Callable[[], None],
) -> None:
    """Let members learn newer sessions, each by itself, networks with these arguments; and do what else there
    is to do beside.

    Raises:
        ParameterError: if a member cannot go on learning; then none has learned anything.
    """
    counting = [member for member in members if isinstance(member, Incremental)]
    learns = [_learns(one, of_networks) for one in members if not isinstance(one, Incremental)]
    known = renumbered(counting[0].vocabulary_, sessions)[0] if counting else sessions
    tasks: list[Callable[[], object]] = [
        *(partial(learn, sessions) for learn in learns),  # these take the longest
        beside,
        *(partial(one.go_on, known) for one in counting),
    ]
    on_threads(lambda task: task(), tasks)


def _learns(member: Recommender, of_networks: Mapping[str, Any]) -> Callable[[Sessions], object]:
    """What lets a member learn newer sessions."""
    learn = getattr(member, "partial_fit", None)
    if learn is None:
        cannot = f"{type(member).__name__} cannot go on learning: give fit a validation part"
        raise ParameterError(cannot)
    return partial(learn, **of_networks) if member.logits else learn


def of_member(field: Field, place: int) -> Field:
    """A member's field among those of others: its letters and names are its own, N is everyone's."""

    def own(letter: str | None) -> str | None:
        return letter if letter in (None, "N", "N+1") else f"{place}/{letter}"

    shape = tuple(axis if isinstance(axis, int) else str(own(axis)) for axis in field.shape)
    return replace(field, shape=shape, below=own(field.below), ends=own(field.ends), parts=own(field.parts))
