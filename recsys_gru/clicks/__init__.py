"""From a raw click log to packed sessions: Polars in, NumPy out."""

from recsys_gru.clicks.adapters import recipe_of
from recsys_gru.clicks.check import CheckedClicks, check_clicks
from recsys_gru.clicks.describe import describe
from recsys_gru.clicks.doctor import Diagnosis, diagnose_split
from recsys_gru.clicks.filter import filter_sessions
from recsys_gru.clicks.generate import PlantedLaw, generate_clicks, planted_law
from recsys_gru.clicks.ledger import Ledger, Size
from recsys_gru.clicks.packing import read_sessions, write_sessions
from recsys_gru.clicks.prepare import Prepared, prepare, read_prepared
from recsys_gru.clicks.profile import Profile, profile_clicks
from recsys_gru.clicks.read import read_clicks
from recsys_gru.clicks.recipe import Recipe
from recsys_gru.clicks.sessionize import collapse_repeats, sessionize
from recsys_gru.clicks.sessions import Sessions, as_sessions
from recsys_gru.clicks.split import (
    Split,
    ThreeParts,
    split_at,
    split_by_time,
    split_rolling,
    split_three,
    tail_cut,
)
from recsys_gru.clicks.store import Added, ClickStore
from recsys_gru.clicks.vocabulary import Vocabulary

__all__ = [
    "Added",
    "CheckedClicks",
    "ClickStore",
    "Diagnosis",
    "Ledger",
    "PlantedLaw",
    "Prepared",
    "Profile",
    "Recipe",
    "Sessions",
    "Size",
    "Split",
    "ThreeParts",
    "Vocabulary",
    "as_sessions",
    "check_clicks",
    "collapse_repeats",
    "describe",
    "diagnose_split",
    "filter_sessions",
    "generate_clicks",
    "planted_law",
    "prepare",
    "profile_clicks",
    "read_clicks",
    "read_prepared",
    "read_sessions",
    "recipe_of",
    "sessionize",
    "split_at",
    "split_by_time",
    "split_rolling",
    "split_three",
    "tail_cut",
    "write_sessions",
]
