"""Old runs out, with their files; what is in use, and what it came from, stays."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, final

from recsys_gru.errors import TrackingError
from recsys_gru.tracking.delivery import EXPERIMENT, PARENT, Desk, Store, store_at

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLEAN_UP = """
import os, sys
from mlflow.cli import cli
uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
cli(["gc", "--backend-store-uri", uri, "--tracking-uri", uri, *sys.argv[1:]])
"""
"""``mlflow gc`` takes the store as an argument only: who lists the processes sees it, password and all."""


@final
@dataclass(frozen=True)
class OldRun:
    """A run that may go."""

    id: str
    name: str
    began: datetime


def find_old(
    where: str | os.PathLike[str], keep: timedelta, experiment: str = EXPERIMENT, now: datetime | None = None
) -> list[OldRun]:
    """The runs that began longer ago than ``keep``, oldest first.

    Running ones stay; so do the runs of model versions with an alias, and every run above one that stays.
    """
    desk = Desk(store_at(where), experiment)
    runs = {run.info.run_id: run for run in _all_runs(desk)}
    limit = _moment(now or datetime.now(UTC), keep).timestamp() * 1000
    staying = {
        key for key, run in runs.items() if run.info.start_time >= limit or run.info.status == "RUNNING"
    }
    staying = _with_ancestors(staying | _in_use(desk.client), runs)
    old = [run for key, run in runs.items() if key not in staying]
    return [
        OldRun(
            run.info.run_id, str(run.info.run_name), datetime.fromtimestamp(run.info.start_time / 1000, UTC)
        )
        for run in sorted(old, key=lambda run: (run.info.start_time, run.info.run_id))
    ]


def _moment(now: datetime, keep: timedelta) -> datetime:
    """So long ago, or the beginning of time."""
    try:
        return max(now - keep, EPOCH)
    except OverflowError:
        return EPOCH


def remove(where: str | os.PathLike[str], old: Sequence[OldRun], experiment: str = EXPERIMENT) -> None:
    """Remove runs, their files, their models and those models' versions for good.

    Raises:
        TrackingError: if MLflow's clean-up fails; the runs are then marked deleted, but their files are left.
    """
    if not old:
        return
    desk = Desk(store_at(where), experiment)
    client = desk.client
    gone = {run.id for run in old}
    for version in client.search_model_versions():
        if version.run_id in gone:
            client.delete_model_version(version.name, version.version)
    models = client.search_logged_models([desk.experiment], max_results=PAGE)
    model_ids = [model.model_id for model in models if model.source_run_id in gone]
    for model_id in model_ids:
        client.delete_logged_model(model_id)
    for run in old:
        client.delete_run(run.id)
    if not desk.store.remote:
        _collect_garbage(desk.store, sorted(gone), model_ids)


def _all_runs(desk: Desk) -> "list[Run]":
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = desk.client.search_runs([desk.experiment], max_results=PAGE, page_token=token)
        runs.extend(page)
        token = page.token
        if not token:
            return runs


def _in_use(client: "MlflowClient") -> set[str]:
    """Runs of the versions that bear an alias."""
    found: set[str] = set()
    for model in client.search_registered_models():
        for version in set(model.aliases.values()):
            found.add(client.get_model_version(model.name, str(version)).run_id or "")
    return found


def _with_ancestors(keys: set[str], runs: "Mapping[str, Run]") -> set[str]:
    found = set(keys)
    for key in keys:
        above: str | None = key
        while above is not None:
            found.add(above)
            above = runs[above].data.tags.get(PARENT) if above in runs else None
    return found


def _collect_garbage(store: Store, runs: list[str], models: list[str]) -> None:
    command = [sys.executable, "-c", CLEAN_UP, "--run-ids", ",".join(runs)]
    if models:
        command += ["--logged-model-ids", ",".join(models)]
    surroundings = {**os.environ, "MLFLOW_BACKEND_STORE_URI": store.uri}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise TrackingError(
            f"the runs are marked deleted but their files are not removed: mlflow gc said {said}"
        )
