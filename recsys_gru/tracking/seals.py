"""Which run a saved model came from: the seal of its files is a tag of the run that kept it."""

import hashlib
import os
from typing import TYPE_CHECKING

from recsys_gru.contract import CARD, read_manifest
from recsys_gru.tracking.delivery import Desk

if TYPE_CHECKING:
    from mlflow.entities import Run

SEAL = "model.seal"
"""The tag, on a run, of the seal of the model it kept."""
LETTERS = 32


def seal_of(folder: str | os.PathLike[str]) -> str:
    """The seal of a saved model: equal for equal weights and items of one class, whenever they are saved."""
    manifest = read_manifest(folder)
    seals = [f"{name} {seal.sha256}" for name, seal in sorted(manifest.files.items()) if name != CARD]
    return hashlib.sha256("\n".join([manifest.model, *seals]).encode()).hexdigest()[:LETTERS]


def run_of_seal(desk: Desk, seal: str) -> str | None:
    """The newest run that kept a model of this seal: the one that fitted it, else one that measured it."""
    runs: list[Run] = desk.client.search_runs(
        [desk.experiment], f"tags.`{SEAL}` = '{seal}'", order_by=["attributes.start_time DESC"]
    )
    fitted = [run for run in runs if "data.events" in run.data.tags]
    return next((str(run.info.run_id) for run in [*fitted, *runs]), None)
