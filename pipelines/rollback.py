"""Put the champion before back into use."""

from datetime import UTC, datetime

from .plumbing.errors import BadInputError, PipelineError
from .plumbing.events import say
from .plumbing.settings import Settings
from .stages.champion import (
    CHAMPION,
    HELD,
    REPLACES,
    ROLLED_BACK,
    bar_of,
    note_champion,
    registry_of,
)
from .stages.recommend import replace_lists


def rollback(settings: Settings, to: int | None = None) -> tuple[int | None, int]:
    """Move the champion's alias to a version: that which the champion replaced, unless another is named.

    The version is loaded and checked before it is put into use. It stays until a challenger of a later day
    than that of the version that had to go passes the gate: running old days again does not bring that back.
    The newest lists are then written anew. The caller holds the lock.

    Returns:
        The version that served, if one did, and the one that serves now.

    Raises:
        PipelineError: if the version serves, but its lists could not be written.
        BadInputError: if nothing serves and no version is named, or the champion replaced none.
        TrackingError: if there is no such version.
        BundleError: if the version is damaged.
    """
    registry = registry_of(settings)
    now = registry.version_of(CHAMPION)
    target = _target(settings, now, to)
    registry.load(target)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    if now is not None and now != target:
        bar = bar_of(settings, now)
        if bar is not None:
            registry.tag(target, HELD, bar.isoformat())
        for version in _given_up(settings, now, target):
            registry.tag(version, ROLLED_BACK, f"to version {target} at {moment}")
    registry.tag(target, ROLLED_BACK, "")
    registry.promote(target, f"rolled back from version {now} at {moment}")
    note_champion(settings)
    say("rolled back", before=now, now=target)
    try:
        replace_lists(settings)
    except Exception as error:
        again = settings.command("rollback --to " + str(target))
        raise PipelineError(
            f"version {target} serves, but the newest lists are still those of version {now}: {error}; "
            f"mend that, then: {again}"
        ) from error
    return now, target


def _target(settings: Settings, now: int | None, to: int | None) -> int:
    if to is not None:
        return to
    if now is None:
        raise BadInputError("expected a champion to roll back from, no version serves: name one with --to")
    before = registry_of(settings).tags(now).get(REPLACES)
    if not before:
        raise BadInputError(f"version {now} replaced no other: name the version with --to")
    return int(before)


def _given_up(settings: Settings, now: int, target: int) -> list[int]:
    """The champion and those that it replaced, down to the version that is put back."""
    registry, chain = registry_of(settings), [now]
    while (before := registry.tags(chain[-1]).get(REPLACES)) and int(before) not in chain:
        if int(before) == target:
            return chain
        chain.append(int(before))
    return [now]
