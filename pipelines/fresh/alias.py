"""The serving version in MLflow's registry, under an alias of its own, for those who load models there."""

import logging
from typing import TYPE_CHECKING

from ..plumbing.events import say
from ..plumbing.settings import Settings
from ..plumbing.versions import Version, current, kept
from ..plumbing.workshop import file_digest
from ..stages.champion import registry_of

if TYPE_CHECKING:
    from recsys_gru import Recommender

FRESH, ROLE, SEAL = "fresh", "role", "fresh.seal"
"""The alias, and the value of the tag that says what a version is; the tag that says which fresh version."""
MANIFEST = "manifest.json"


def point(settings: Settings, model: "Recommender | None" = None) -> None:
    """Register the version that serves and give it the alias; that it cannot be done stops nothing.

    What a killed run has left is found by its seal, or goes: of the versions that were registered here only
    those whose fresh versions are kept stay.

    Args:
        model: the one that serves, where it is at hand.
    """
    from recsys_gru import load

    serving = current(settings)
    if serving is None or not settings.fresh.register:
        return
    try:
        registry, seal = registry_of(settings), _seal(serving)
        own = registry.find(SEAL, seal)
        if own is None:
            tags = {ROLE: FRESH, SEAL: seal, "fresh.version": str(serving.number), "base": str(serving.base)}
            tags["fresh.until"] = serving.until.isoformat()
            model = model or load(serving.model)
            registry.register(model, alias=FRESH, tags=tags, folder=serving.model)
        elif registry.version_of(FRESH) != own:
            registry.point(FRESH, own)
        registry.keep_only(ROLE, FRESH, SEAL, {_seal(version) for version in kept(settings)})
    except Exception as error:
        say("alias not moved, the next run does it", level=logging.ERROR, why=str(error))


def _seal(version: Version) -> str:
    """What tells a version from all others: the manifest holds the SHA-256 of each of its files."""
    return file_digest(version.model / MANIFEST)
