"""One cluster of two workers, and one object store, for all tests of this folder; nothing is left of them."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import ray

from tests.cluster.stores import SURROUNDINGS, object_store

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


@contextmanager
def in_surroundings() -> Iterator[None]:
    """What finds the object store."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SURROUNDINGS.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of its bucket, s3://shop."""
    with in_surroundings(), object_store(tmp_path_factory.mktemp("store")) as bucket:
        yield bucket


@pytest.fixture(scope="package")
def cluster() -> Iterator[str]:
    """Its address."""
    folder = tempfile.mkdtemp(prefix="ray-")  # its sockets need a short path
    others = psutil.Process().children(recursive=True)
    with in_surroundings():  # its workers keep those in which it began
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
    began = [one for one in psutil.Process().children(recursive=True) if one not in others]
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()
    _, alive = psutil.wait_procs(began, timeout=20)
    shutil.rmtree(folder, ignore_errors=True)
    assert not alive, alive
