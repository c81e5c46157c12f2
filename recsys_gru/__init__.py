"""Session-based recommendations with GRU4Rec: from a click log to ranked next items.

Names are loaded on first use, so that importing the package costs nothing until a part is needed.
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "recsys_gru.clicks": (
        "CheckedClicks",
        "Ledger",
        "Sessions",
        "Split",
        "Vocabulary",
        "check_clicks",
        "filter_sessions",
        "generate_clicks",
        "read_clicks",
        "sessionize",
        "split_by_time",
    ),
    "recsys_gru.ranking": ("ItemFilter",),
    "recsys_gru.evaluation": ("Report", "evaluate"),
    "recsys_gru.contract": ("Recommender",),
    "recsys_gru.baselines": ("ItemKNN", "Markov", "Popularity", "SessionPopularity"),
    "recsys_gru.recommender": ("GRU4Rec",),
    "recsys_gru": ("errors", "tracking"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - built from the table above


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'recsys_gru' has no attribute {name!r}; it has {', '.join(__all__)}")
    if home == "recsys_gru":
        return importlib.import_module(f"recsys_gru.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__
