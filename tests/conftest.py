"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Threads of two workers on two cores else wait for each other at full speed: a fit of a second takes ten.
# PyTorch reads it when it is first imported, and processes that tests start have it too.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# a first call compiles kernels, so time says nothing about a test
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real click logs and recorded trajectories that lies beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(
            f"NO SHARED DATA: expected {SHARED.name}/ beside the project's root (real logs, reference runs)"
        )
    return SHARED


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an empty MLflow store, to be copied, not used: a new one takes seconds, a copy none."""
    from recsys_gru.tracking.delivery import connect, store_at  # MLflow only where somebody asks for a store

    folder = tmp_path_factory.mktemp("template") / "mlruns"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        connect(store_at(folder))
    return folder
