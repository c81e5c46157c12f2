"""Raw rows to events: reading, checking and cutting a click log, with every rejected row counted.

In it: found (which files a log is), scan (them as lazy frames), adapters (published logs), times and frames
(types and columns), read and check (the door), sessionize, order, ledger (what each rule left), recipe (every
choice in one place), generate (logs with a planted law), catalogue (the same with facts about the items).
Used by every room that meets a log. It must never import a model or torch, nor the rooms that build on it:
sessions, preparation, exploration.
"""

import importlib

from recsys_gru.clicks.adapters import recipe_of
from recsys_gru.clicks.catalogue import Catalogue, FactsLaw, generate_catalogue
from recsys_gru.clicks.check import CheckedClicks, check_clicks
from recsys_gru.clicks.generate import PlantedLaw, generate_clicks, planted_law
from recsys_gru.clicks.ledger import Ledger, Size
from recsys_gru.clicks.read import read_clicks
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.sessionize import collapse_repeats, sessionize

__all__ = [
    "Catalogue",
    "CheckedClicks",
    "FactsLaw",
    "Ledger",
    "PlantedLaw",
    "Recipe",
    "Size",
    "check_clicks",
    "collapse_repeats",
    "generate_catalogue",
    "generate_clicks",
    "planted_law",
    "read_clicks",
    "recipe_of",
    "sessionize",
]

_LIVED_HERE = {
    "sessions": (
        "Diagnosis",
        "Sessions",
        "Split",
        "ThreeParts",
        "Vocabulary",
        "as_sessions",
        "diagnose_split",
        "filter_sessions",
        "read_sessions",
        "split_at",
        "split_by_time",
        "split_rolling",
        "split_three",
        "tail_cut",
        "write_sessions",
    ),
    "preparation": ("Added", "ClickStore", "Prepared", "prepare", "read_prepared"),
    "exploration": ("Profile", "describe", "profile_clicks"),
}
"""Names that were taken from this room before 0.2 and are still found here (docs/decisions/0011)."""


def __getattr__(name: str) -> object:
    for room, names in _LIVED_HERE.items():
        if name in names:
            return getattr(importlib.import_module(f"recsys_gru.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
