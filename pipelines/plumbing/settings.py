"""The settings of the nightly job: one TOML file, read strictly."""

import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from .bounds import did_you_mean, require_sane
from .errors import BadInputError

DEFAULT = Path(__file__).resolve().parents[1] / "settings.toml"
READING = (
    "session", "item", "time", "user", "order", "format", "ids", "time_zone", "time_unit", "time_format",
)  # fmt: skip
PATHS = (
    ("work", "folder"),
    ("input", "path"),
    ("items", "path"),
    ("fresh", "path"),
    ("recommend", "sessions"),
    ("tracking", "where"),
)


@dataclass(frozen=True)
class Work:
    """Where everything is kept, and for how long."""

    folder: Path
    keep_days: int


@dataclass(frozen=True)
class Input:
    """Where a day's clicks land, and what is expected of them."""

    path: str
    max_rejected: float
    max_elsewhere: float
    gap_minutes: int
    session: str | None = None
    item: str | None = None
    time: str | None = None
    user: str | None = None
    order: str | None = None
    format: str | None = None
    ids: str | None = None
    time_zone: str | None = None
    time_unit: str | None = None
    time_format: str | None = None

    def file(self, day: date) -> Path:
        """The landed clicks of a day."""
        return Path(self.path.replace("{day}", day.isoformat()))

    def columns(self) -> dict[str, str]:
        """The names of columns and how to read them, as far as given, as read_clicks takes them."""
        given = {name: getattr(self, name) for name in READING}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Window:
    """What a model learns from."""

    days: int
    min_support: int
    min_length: int


@dataclass(frozen=True)
class Items:
    """What is known about items, if anything is."""

    path: str | None = None
    name: str | None = None
    kinds: dict[str, str] | None = None

    def file(self, day: date) -> Path | None:
        """The items file of a day."""
        return None if self.path is None else Path(self.path.replace("{day}", day.isoformat()))


@dataclass(frozen=True)
class Train:
    """How it learns."""

    mode: str
    warm_epochs: int
    checkpoint_every: int


@dataclass(frozen=True)
class Evaluate:
    """What it is measured by."""

    cutoffs: tuple[int, ...]
    baselines: tuple[str, ...]
    unknown: str
    latency_requests: int
    page: bool


@dataclass(frozen=True)
class Gate:
    """What it must show before it serves."""

    metric: str
    k: int
    level: float
    resamples: int
    fresher: bool
    margin: float
    over_baseline: float
    min_volume: float
    volume_days: int
    min_coverage: float
    max_latency_ms: float
    max_unknown: float


@dataclass(frozen=True)
class Recommend:
    """What is written for those who show it."""

    what: tuple[str, ...]
    k: int
    exclude_seen: bool
    sessions: str | None = None


@dataclass(frozen=True)
class Tracking:
    """The MLflow store."""

    where: str
    experiment: str
    model: str


@dataclass(frozen=True)
class Schedule:
    """When the scheduler runs it."""

    cron: str
    first_day: date
    retries: int
    retry_seconds: int


@dataclass(frozen=True)
class Fresh:
    """What happens between the nights, and what the guard asks of it."""

    every: str
    path: str
    epochs: int
    keep: int
    register: bool
    wait_minutes: int
    max_behind: int
    lists: bool
    periods: int
    min_events: int
    against_nightly: float
    against_before: float
    min_coverage: float
    max_latency_ms: float
    latency_requests: int
    max_scores: int


@dataclass(frozen=True)
class Alerts:
    """Whom to wake."""

    command: tuple[str, ...]
    on_refusal: bool


@dataclass(frozen=True)
class Advise:
    """What the advisor tries."""

    windows: tuple[int, ...]
    days: int


@dataclass(frozen=True)
class Settings:
    """All of them; ``model`` is the recommender's class and its hyper-parameters, checked by itself.

    What does not stand in the file: whether nothing shall be done, and which file it is.
    """

    work: Work
    input: Input
    window: Window
    items: Items
    model: dict[str, Any]
    train: Train
    evaluate: Evaluate
    gate: Gate
    recommend: Recommend
    tracking: Tracking
    schedule: Schedule
    fresh: Fresh
    alerts: Alerts
    advise: Advise
    dry_run: bool = False
    file: Path = DEFAULT

    def first_day(self, day: date) -> date:
        """The first day of the training window of a day; the day itself is what models are tested on."""
        return day - timedelta(days=self.window.days)

    def command(self, words: str) -> str:
        """A command line to copy."""
        return f"recsys-gru {words} --settings {self.file}"


def read_settings(path: Path = DEFAULT) -> Settings:
    """Read a settings file; what it leaves out is as in the default file.

    Its paths count from its folder, those of the default file from the folder one stands in.

    Raises:
        BadInputError: if a key is unknown or a value impossible.
    """
    usual = _toml(DEFAULT, Path.cwd())
    given = {} if path.resolve() == DEFAULT else _toml(path, path.absolute().parent)
    _known("", given, dict.fromkeys(usual))
    kinds = get_type_hints(Settings)
    sections: dict[str, Any] = {}
    for name in usual:
        entries = given.get(name, {})
        if not isinstance(entries, dict):
            raise BadInputError(f"expected [{name}] as a table in {path}, got {entries!r}")
        if name == "model":
            sections[name] = dict(entries or usual[name])
        else:
            sections[name] = _section(name, kinds[name], {**usual[name], **entries})
    settings = Settings(**sections, file=path.absolute())
    require_sane(settings)
    return settings


def _toml(path: Path, home: Path) -> dict[str, Any]:
    """The sections of a file, its paths counted from a folder."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"cannot read the settings {path}: {error}") from error
    for name, key in PATHS:
        entries = sections.get(name)
        if isinstance(entries, dict) and isinstance(entries.get(key), str) and "://" not in entries[key]:
            if not entries[key].strip() or "\0" in entries[key]:
                raise BadInputError(f"expected {name}.{key} as a path, got {entries[key]!r} in {path}")
            entries[key] = str((home / entries[key]).resolve())
    return sections


def _known(section: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    strange = sorted(set(given) - set(known))
    if strange:
        place = f"in [{section}]" if section else "as sections"
        near = did_you_mean(strange[0], known)
        known_here = ", ".join(sorted(known))
        raise BadInputError(f"unknown settings {strange[:5]} {place}; known are {known_here}{near}")


def _section(name: str, kind: Any, entries: dict[str, Any]) -> Any:  # noqa: ANN401 - one of the classes above
    hints = get_type_hints(kind)
    _known(name, entries, hints)
    missing = [one.name for one in fields(kind) if one.name not in entries and one.name not in vars(kind)]
    if missing:
        raise BadInputError(f"settings {missing} are missing in [{name}]")
    return kind(**{key: _value(f"{name}.{key}", value, hints[key]) for key, value in entries.items()})


def _value(name: str, value: object, kind: Any) -> object:  # noqa: ANN401 - a type, or a form of one
    """The value in the type of its field."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = get_args(kind)[0]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise BadInputError(f"expected {name} as a list, got {value!r}")
        return tuple(_value(name, entry, get_args(kind)[0]) for entry in value)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {key: _value(f"{name}.{key}", entry, get_args(kind)[1]) for key, entry in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if type(value) is not kind:
        raise BadInputError(f"expected {name} as {kind.__name__}, got {value!r}")
    return value
