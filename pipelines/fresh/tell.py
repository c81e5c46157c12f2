"""What is told of the periods: their lists, their curves in MLflow, their rows in the status, the balance."""

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..plumbing.events import say
from ..plumbing.periods import Period
from ..plumbing.settings import Settings
from ..plumbing.versions import current, fresh_folder
from ..plumbing.workshop import Facts, write_whole
from ..stages.recommend import lists_of

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender

REFUSED, FAILURE, TOLD = "refused.json", "failed.json", "told.json"
SHOWN = 6
CURVES = (
    "recall",
    "mrr",
    "nightly_recall",
    "nightly_mrr",
    "events",
    "unknown",
    "learned",
    "late",
    "items",
    "seconds",
)
HEAD = ("period", "version", "clicks", "late", "recall", "nightly's", "seconds")


def write_lists(
    model: "Recommender", period: Period, events: "pl.DataFrame", settings: Settings, folder: Path
) -> None:
    """Write a version's lists beside its model; those of sessions are of the sessions open in the period."""
    asked = folder / "sessions.parquet"
    events.write_parquet(asked)
    place = folder / "lists"
    place.mkdir()
    lists_of(model, period.day, settings, place, asked, {"period": period.name})
    asked.unlink()


def tell_curves(settings: Settings) -> None:
    """Log the periods that were published since the last time; that it cannot be done stops nothing."""
    from recsys_gru.tracking import lasting_run

    serving, note = current(settings), fresh_folder(settings) / TOLD
    if serving is None:
        return
    last = json.loads(note.read_text(encoding="utf-8")) if note.exists() else 0
    rows = [row for row in serving.ledger() if row["version"] > last]
    try:
        for base in sorted({row["base"] for row in rows}):
            name = f"fresh from version {base}"
            tags = {"role": "fresh", "model": settings.model["class"], "base": str(base)}
            with lasting_run(
                settings.tracking.where, name=name, ticket=f"{settings.tracking.model} {name}",
                experiment=settings.tracking.experiment, tags=tags,
            ) as run:  # fmt: skip
                for row in rows:
                    if row["base"] == base:
                        run.log(
                            curves(row), time=int(datetime.fromisoformat(row["start"]).timestamp() * 1000)
                        )
    except Exception as error:
        say("curves not logged, the next run does it", level=logging.ERROR, why=str(error))
    else:
        write_whole(note, json.dumps(serving.number))


def curves(row: Facts) -> dict[str, float]:
    """The metrics of a period."""
    return {f"fresh/{name}": row[name] for name in CURVES if row[name] is not None}


def unbalanced(settings: Settings) -> list[Facts]:
    """The periods of whose clicks not each was learned once; there should be none.

    A period stands in the ledger once for each champion that was caught up with it.
    """
    serving = current(settings)
    seen: set[tuple[int, str]] = set()
    found = []
    for row in [] if serving is None else serving.ledger():
        same = (row["taken"], row["taken_digest"]) == (row["learned"], row["learned_digest"])
        if not same or (row["base"], row["period"]) in seen:
            found.append(row)
        seen.add((row["base"], row["period"]))
    return found


def told(settings: Settings) -> dict[str, Any] | None:
    """What the status tells, if anything is there."""
    home = fresh_folder(settings)
    notes = {name: home / name for name in (REFUSED, FAILURE)}
    trouble = [json.loads(path.read_text(encoding="utf-8")) for path in notes.values() if path.exists()]
    serving = current(settings)
    if serving is None and not trouble:
        return None
    rows = [] if serving is None else serving.ledger()
    shown = [{name: row[name] for name in ("period", "version", "base", *CURVES)} for row in rows[-SHOWN:]]
    facts = (
        {} if serving is None else {"version": serving.number, "base": serving.base, "until": serving.until}
    )
    return {
        **facts,
        "rows": shown,
        "trouble": trouble,
        "unbalanced": [row["period"] for row in unbalanced(settings)],
    }


def table(found: dict[str, Any], recall: str) -> list[list[str]]:
    """The last periods as cells, a head first."""
    cells = [[recall if name == "recall" else name for name in HEAD]]
    for row in found["rows"]:
        values = [f"{row[key]:.4f}" if row[key] is not None else "-" for key in ("recall", "nightly_recall")]
        counts = [str(row[key]) for key in ("version", "learned", "late")]
        cells.append([row["period"], *counts, *values, f"{row['seconds']:.1f}"])
    return cells
