"""The MLflow run of a day: one for each day and fingerprint, found again by every rerun."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

from ..plumbing.settings import Settings
from ..plumbing.workshop import Done

if TYPE_CHECKING:
    from recsys_gru.tracking import LastingRun

DATA = "clicks"
"""The name of the click log on the run."""


@contextmanager
def day_run(day: date, settings: Settings, trained: Done) -> "Iterator[LastingRun]":
    """The run of a day and of what was trained; finished, or failed, when the block ends."""
    from recsys_gru.tracking import lasting_run

    tags = {"role": "nightly", "model": settings.model["class"], "data": DATA}
    tags |= {"day": day.isoformat(), "fingerprint": trained.fingerprint}
    with lasting_run(
        settings.tracking.where,
        name=f"nightly {day}",
        ticket=trained.fingerprint,
        experiment=settings.tracking.experiment,
        tags=tags,
    ) as run:
        yield run
