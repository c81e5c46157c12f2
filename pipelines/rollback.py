"""Put the champion before back into use."""

from datetime import UTC, datetime

from .plumbing.errors import BadInputError
from .plumbing.events import say
from .plumbing.settings import Settings
from .stages.champion import CHAMPION, HELD, bar_of, registry_of


def rollback(settings: Settings, to: int | None = None) -> tuple[int, int]:
    """Move the champion's alias to a version: that which the champion replaced, unless another is named.

    The version is loaded and checked before it is put into use. It stays until a challenger of a later day
    than that of the version that had to go passes the gate: running old days again does not bring that back.

    Returns:
        The version that served, and the one that serves now.

    Raises:
        BadInputError: if nothing serves, or the champion replaced none.
        BundleError: if the version is damaged.
    """
    registry = registry_of(settings)
    now = registry.version_of(CHAMPION)
    if now is None:
        raise BadInputError("expected a champion to roll back from, no version serves")
    before = registry.tags(now).get("replaces") if to is None else str(to)
    if not before:
        raise BadInputError(f"version {now} replaced no other: name the version with --to")
    target = int(before)
    registry.load(target)
    bar = bar_of(settings, now)
    if bar is not None:
        registry.tag(target, HELD, bar.isoformat())
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    registry.promote(target, f"rolled back from version {now} at {moment}")
    say("rolled back", before=now, now=target)
    return now, target
