"""Session-based recommendations with GRU4Rec: from a click log to ranked next items.

Names are loaded on first use, so that importing the package costs nothing until a part is needed.
"""

import importlib
from typing import TYPE_CHECKING

from recsys_gru import forked as _forked  # noqa: F401 - it watches forks from the first import on

if TYPE_CHECKING:
    from recsys_gru import errors as errors
    from recsys_gru import tracking as tracking
    from recsys_gru.baselines import SKNN as SKNN
    from recsys_gru.baselines import STAN as STAN
    from recsys_gru.baselines import VMISKNN as VMISKNN
    from recsys_gru.baselines import VSKNN as VSKNN
    from recsys_gru.baselines import VSTAN as VSTAN
    from recsys_gru.baselines import ItemKNN as ItemKNN
    from recsys_gru.baselines import Markov as Markov
    from recsys_gru.baselines import Popularity as Popularity
    from recsys_gru.baselines import RecentPopularity as RecentPopularity
    from recsys_gru.baselines import Repeats as Repeats
    from recsys_gru.baselines import SequentialRules as SequentialRules
    from recsys_gru.baselines import SessionPopularity as SessionPopularity
    from recsys_gru.blend import Blend as Blend
    from recsys_gru.blend import recommended as recommended
    from recsys_gru.clicks import CheckedClicks as CheckedClicks
    from recsys_gru.clicks import Ledger as Ledger
    from recsys_gru.clicks import Recipe as Recipe
    from recsys_gru.clicks import check_clicks as check_clicks
    from recsys_gru.clicks import collapse_repeats as collapse_repeats
    from recsys_gru.clicks import generate_catalogue as generate_catalogue
    from recsys_gru.clicks import generate_clicks as generate_clicks
    from recsys_gru.clicks import read_clicks as read_clicks
    from recsys_gru.clicks import recipe_of as recipe_of
    from recsys_gru.clicks import sessionize as sessionize
    from recsys_gru.contract import Recommender as Recommender
    from recsys_gru.contract import load as load
    from recsys_gru.evaluation import Prequential as Prequential
    from recsys_gru.evaluation import Report as Report
    from recsys_gru.evaluation import compare as compare
    from recsys_gru.evaluation import evaluate as evaluate
    from recsys_gru.evaluation import list_metrics as list_metrics
    from recsys_gru.evaluation import prequential as prequential
    from recsys_gru.evaluation import read_ranks as read_ranks
    from recsys_gru.evaluation import recommendation_lists as recommendation_lists
    from recsys_gru.evaluation import report_page as report_page
    from recsys_gru.evaluation import write_ranks as write_ranks
    from recsys_gru.exploration import describe as describe
    from recsys_gru.exporting import export as export
    from recsys_gru.facts import CheckedItems as CheckedItems
    from recsys_gru.facts import check_items as check_items
    from recsys_gru.facts import shuffle_facts as shuffle_facts
    from recsys_gru.preparation import ClickStore as ClickStore
    from recsys_gru.preparation import prepare as prepare
    from recsys_gru.preparation import read_prepared as read_prepared
    from recsys_gru.ranking import ItemFilter as ItemFilter
    from recsys_gru.recommender import RECOMMENDED as RECOMMENDED
    from recsys_gru.recommender import GRU4Rec as GRU4Rec
    from recsys_gru.sessions import Sessions as Sessions
    from recsys_gru.sessions import Split as Split
    from recsys_gru.sessions import Vocabulary as Vocabulary
    from recsys_gru.sessions import as_sessions as as_sessions
    from recsys_gru.sessions import diagnose_split as diagnose_split
    from recsys_gru.sessions import filter_sessions as filter_sessions
    from recsys_gru.sessions import read_sessions as read_sessions
    from recsys_gru.sessions import split_at as split_at
    from recsys_gru.sessions import split_by_time as split_by_time
    from recsys_gru.sessions import split_rolling as split_rolling
    from recsys_gru.sessions import split_three as split_three
    from recsys_gru.sessions import tail_cut as tail_cut
    from recsys_gru.sessions import write_sessions as write_sessions
    from recsys_gru.training import EpochReport as EpochReport

__version__ = "0.2.0"

_HOMES = {
    "recsys_gru.clicks": (
        "CheckedClicks",
        "Ledger",
        "Recipe",
        "check_clicks",
        "collapse_repeats",
        "generate_catalogue",
        "generate_clicks",
        "read_clicks",
        "recipe_of",
        "sessionize",
    ),
    "recsys_gru.sessions": (
        "Sessions",
        "Split",
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
    "recsys_gru.facts": ("CheckedItems", "check_items", "shuffle_facts"),
    "recsys_gru.preparation": ("ClickStore", "prepare", "read_prepared"),
    "recsys_gru.exploration": ("describe",),
    "recsys_gru.ranking": ("ItemFilter",),
    "recsys_gru.evaluation": (
        "Prequential",
        "Report",
        "compare",
        "evaluate",
        "list_metrics",
        "prequential",
        "read_ranks",
        "recommendation_lists",
        "report_page",
        "write_ranks",
    ),
    "recsys_gru.contract": ("Recommender", "load"),
    "recsys_gru.baselines": (
        "SKNN",
        "STAN",
        "VMISKNN",
        "VSKNN",
        "VSTAN",
        "ItemKNN",
        "Markov",
        "Popularity",
        "RecentPopularity",
        "Repeats",
        "SequentialRules",
        "SessionPopularity",
    ),
    "recsys_gru.blend": ("Blend", "recommended"),
    "recsys_gru.training": ("EpochReport",),
    "recsys_gru.recommender": ("RECOMMENDED", "GRU4Rec"),
    "recsys_gru.exporting": ("export",),
    "recsys_gru": ("errors", "tracking"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'recsys_gru' has no attribute {name!r}; it has {', '.join(__all__)}")
    if home == "recsys_gru":
        return importlib.import_module(f"recsys_gru.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__
