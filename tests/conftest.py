"""Fixtures shared by all tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real click logs and recorded trajectories that lies beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"NO SHARED DATA: expected {SHARED.name}/ beside the project's root (real logs, reference runs)")
    return SHARED
