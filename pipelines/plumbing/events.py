"""What the job says while it works: one JSON line per event in a file, lines for people in a terminal."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from recsys_gru import errors

log = logging.getLogger("pipelines")
FIELDS = "fields"
UNSHOWN = ("traceback", "folder", "day", "promoted", "reason")
"""Facts that a terminal is spared; the decision has a page of its own."""


def say(event: str, *, level: int = logging.INFO, **fields: object) -> None:
    """Report one event with its facts."""
    log.log(level, event, extra={FIELDS: fields})


@final
class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, event, and the event's facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; one of another library gives its message as the event."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(hidden(line), default=errors.without_secrets)


@final
class HumanLines(logging.Formatter):
    """Hour, event, and the facts that are short."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; why something failed is told in full, the traceback stays in the file."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = dict(getattr(record, FIELDS, {}))
        said, why = record.getMessage(), facts.pop("why", None)
        place, facts = facts.pop("stage", None), {key: facts[key] for key in facts if key not in UNSHOWN}
        numbers = ", ".join(
            f"{_words(key)} {_short(value)}" for key, value in facts.items() if _is_short(value)
        )
        line = f"{f'{place}: ' if place else ''}{said}{f' ({numbers})' if numbers else ''}"
        return errors.without_secrets(f"{moment} {line}{f': {why}' if why else ''}")


@contextmanager
def recording(path: Path | None) -> Iterator[None]:
    """Write all that is said inside the block to a file, if there is one, and to standard error."""
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(HumanLines() if sys.stderr.isatty() else JsonLines())
    kept = _file_handler(path)
    loggers = (log, logging.getLogger("recsys_gru"))
    log.setLevel(logging.INFO)
    for logger in loggers:
        logger.addHandler(screen)
        logger.addHandler(kept)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(screen)
            logger.removeHandler(kept)
        with suppress(OSError):  # a full disk: what could not be written was said on standard error
            kept.close()


def _file_handler(path: Path | None) -> logging.Handler:
    if path is None:
        return logging.NullHandler()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = logging.FileHandler(path, encoding="utf-8")
    kept.setFormatter(JsonLines())
    return kept


def hidden(value: object) -> object:
    """A value of lists and tables with the passwords in all its texts hidden."""
    if isinstance(value, str):
        return errors.without_secrets(value)
    if isinstance(value, dict):
        return {key: hidden(part) for key, part in value.items()}
    return [hidden(part) for part in value] if isinstance(value, list | tuple) else value


def _words(key: str) -> str:
    return key.replace("_", " ")


def _is_short(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) < 80


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
