"""What a setting may be: the table of bounds, of words and of names; the rest that can never work."""

import difflib
import inspect
import math
import re
import shutil
import zoneinfo
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import BadInputError
from .periods import length_of

if TYPE_CHECKING:
    from .settings import Settings

DAYS, COUNT, LONGEST_LIST, SHARE = 3650, 10**9, 10_000, (0.0, 1.0)
BOUNDS: dict[str, tuple[float, float]] = {
    "work.keep_days": (1, 10 * DAYS),
    "input.max_rejected": SHARE,
    "input.max_elsewhere": SHARE,
    "input.gap_minutes": (1, 7 * 24 * 60),
    "window.days": (1, DAYS),
    "window.min_support": (1, COUNT),
    "window.min_length": (1, COUNT),
    "train.warm_epochs": (1, LONGEST_LIST),
    "train.checkpoint_every": (1, COUNT),
    "evaluate.cutoffs": (1, LONGEST_LIST),
    "evaluate.latency_requests": (1, 1_000_000),
    "gate.k": (1, LONGEST_LIST),
    "gate.level": (0.01, 0.9999),
    "gate.resamples": (100, 1_000_000),
    "gate.margin": SHARE,
    "gate.over_baseline": (0, 1_000_000),
    "gate.min_volume": (0, 1_000),
    "gate.volume_days": (1, DAYS),
    "gate.min_coverage": SHARE,
    "gate.max_latency_ms": (0, 3_600_000),
    "gate.max_unknown": SHARE,
    "recommend.k": (1, LONGEST_LIST),
    "schedule.retries": (0, 100),
    "schedule.retry_seconds": (0, 86_400),
    "fresh.epochs": (1, LONGEST_LIST),
    "fresh.keep": (1, 10_000),
    "fresh.wait_minutes": (0, 24 * 60),
    "fresh.max_behind": (0, COUNT),
    "fresh.periods": (1, 10_000),
    "fresh.min_events": (1, COUNT),
    "fresh.against_nightly": (0, 1_000),
    "fresh.against_before": (0, 1_000),
    "fresh.min_coverage": SHARE,
    "fresh.max_latency_ms": (0, 3_600_000),
    "fresh.latency_requests": (1, 1_000_000),
    "fresh.max_scores": (1, 10**15),
    "advise.windows": (1, DAYS),
    "advise.days": (1, DAYS),
    "model.layers": (1, 100_000),
    "model.batch_size": (1, 10_000_000),
    "model.n_sample": (0, 10_000_000),
    "model.n_epochs": (0, LONGEST_LIST),
    "model.learning_rate": (0, 1_000),
}
"""The least and the most of each number; of a list, of each of its numbers."""
LARGEST = float(2**63)
"""Of hyper-parameters that are not in the table; the model itself knows more of them."""
WORDS = {
    "train.mode": ("full", "warm"),
    "evaluate.unknown": ("drop", "miss"),
    "gate.metric": ("recall", "mrr"),
    "recommend.what": ("items", "sessions"),
}
"""Settings that are one of a few words, or a list of some."""
KINDS = ("label", "labels", "number", "vector", "words")
"""What a column of an items file may be."""
NAMES = ("tracking.experiment", "tracking.model")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._+-]{0,198}[A-Za-z0-9._+-])?")
"""What the store takes in the names of models and experiments, in folders, and in its queries."""
_ABOUT_NOW, _YEARS = 2025, 50
CRON = re.compile(r"@(hourly|daily|weekly|monthly)|[\dA-Za-z*/,-]+( +[\dA-Za-z*/,-]+){4}")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, as a question; empty where none is near."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def require_sane(settings: "Settings") -> None:
    """Refuse values that can never work.

    Raises:
        BadInputError: which, and what is expected.
    """
    for name, section in vars(settings).items():
        if name != "model":  # which the recommender looks at first, when it is made
            require_bounds(name, getattr(section, "__dict__", {}))
    for place, words in WORDS.items():
        found = _at(settings, place)
        strange = sorted(set((found,) if isinstance(found, str) else found) - set(words))
        if strange:
            raise BadInputError(f"expected {place} among {', '.join(words)}, got {strange}")
    for place in NAMES:
        if not NAME.fullmatch(_at(settings, place)):
            raise BadInputError(
                f"expected {place} of letters, digits, blanks and . _ + -, got {_at(settings, place)!r}"
            )
    _require_wholes(settings)
    _require_readable(settings)


def require_programs(settings: "Settings") -> None:
    """Raise BadInputError unless this machine has the program that sends alerts."""
    if settings.alerts.command and shutil.which(settings.alerts.command[0]) is None:
        raise BadInputError(
            f"expected a program in alerts.command, found none called {settings.alerts.command[0]!r}: "
            "give its whole path, or leave the list empty"
        )


def _require_wholes(settings: "Settings") -> None:
    """What depends on more than one value, or on a form."""
    kind = settings.model.get("class")
    if not isinstance(kind, str):
        raise BadInputError(f"expected the recommender's class in [model]: class = 'Blend', got {kind!r}")
    items = settings.items
    if items.path is None and (items.name or items.kinds):
        raise BadInputError("items.name and items.kinds tell of a file: give items.path too")
    if odd := sorted(set((items.kinds or {}).values()) - set(KINDS)):
        raise BadInputError(f"expected items.kinds of {', '.join(KINDS)}, got {odd[0]!r}")
    if settings.gate.k not in settings.evaluate.cutoffs:
        raise BadInputError(f"expected gate.k among evaluate.cutoffs {settings.evaluate.cutoffs}")
    if "{day}" not in settings.input.path:
        raise BadInputError(f"expected {{day}} in input.path, got {settings.input.path!r}")
    if abs(settings.schedule.first_day.year - _ABOUT_NOW) > _YEARS:
        raise BadInputError(
            f"expected schedule.first_day within {_YEARS} years of {_ABOUT_NOW}, got "
            f"{settings.schedule.first_day}"
        )
    length_of(settings.fresh.every)
    if not any(word in settings.fresh.path for word in ("{period}", "{day}")):
        raise BadInputError(f"expected {{period}} or {{day}} in fresh.path, got {settings.fresh.path!r}")
    if not settings.advise.windows:
        raise BadInputError("expected at least one length of a window in advise.windows, got []")
    if not CRON.fullmatch(settings.schedule.cron.strip()):
        raise BadInputError(
            f"expected schedule.cron as five fields such as '0 3 * * *', got {settings.schedule.cron!r}"
        )


def _require_readable(settings: "Settings") -> None:
    """Have the library look at the reading rules, if there are any, without a file."""
    rules = settings.input.columns()
    if not rules:
        return
    import polars as pl

    from recsys_gru import errors, read_clicks

    strange = sorted(set(rules) - set(inspect.signature(read_clicks).parameters))
    if strange:
        raise BadInputError(f"unknown settings {strange} in [input]: this version does not read by them")
    empty = [name for name, value in rules.items() if not value.strip()]
    if empty:
        raise BadInputError(f"expected input.{empty[0]} as a word, got empty text")
    try:
        zoneinfo.ZoneInfo(rules.get("time_zone", "UTC"))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        said = f"expected a zone such as Europe/Berlin in time_zone: {error}"
        raise BadInputError(f"impossible settings in [input]: {said}") from error
    names = {rules.get(name, usual) for name, usual in (("session", "session_id"), ("item", "item_id"))}
    names |= {rules.get("time", "time"), *(rules[name] for name in ("user", "order") if name in rules)}
    try:
        read_clicks(pl.DataFrame(schema=dict.fromkeys(sorted(names), pl.Int64)), **rules)
    except errors.ParameterError as error:
        raise BadInputError(f"impossible settings in [input]: {error}") from error
    except (errors.InputError, pl.exceptions.PolarsError):
        return  # of a log without rows, or of a published one without its columns


def require_bounds(section: str, entries: Mapping[str, Any]) -> None:
    """Refuse numbers that are not finite, or beyond the table's bounds.

    Raises:
        BadInputError: which.
    """
    for key, value in entries.items():
        least, most = BOUNDS.get(f"{section}.{key}", (-LARGEST, LARGEST))
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, bool) or not isinstance(part, int | float):
                continue
            if not (math.isfinite(part) and least <= part <= most):
                raise BadInputError(f"expected {section}.{key} {_span(part, least, most)}, got {part}")


def _span(value: float, least: float, most: float) -> str:
    if not math.isfinite(value) or (least, most) == SHARE:
        return f"from {least:g} to {most:g}"
    return f"of at least {least:g}" if value < least else f"of at most {most:,.0f}"


def _at(settings: "Settings", place: str) -> Any:  # noqa: ANN401 - any setting
    section, key = place.split(".")
    return getattr(getattr(settings, section), key)
