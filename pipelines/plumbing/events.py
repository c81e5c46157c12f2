"""What the job says while it works: one JSON line per event in a file, lines for people in a terminal."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import final

log = logging.getLogger("pipelines")
FIELDS = "fields"


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
        return json.dumps(line, default=str)


@final
class HumanLines(logging.Formatter):
    """Hour, event, and the facts that are short."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = getattr(record, FIELDS, {})
        shown = " ".join(f"{key}={_short(value)}" for key, value in facts.items() if _is_short(value))
        return f"{moment} {record.getMessage()} {shown}".rstrip()


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """Write all that is said inside the block to a file, and to standard error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(HumanLines() if sys.stderr.isatty() else JsonLines())
    kept = logging.FileHandler(path, encoding="utf-8")
    kept.setFormatter(JsonLines())
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


def _is_short(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) < 80


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
