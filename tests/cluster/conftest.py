"""One cluster of two workers for all tests of this folder; nothing of it is left at the end."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator

import psutil
import pytest
import ray

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


@pytest.fixture(scope="package")
def cluster() -> Iterator[str]:
    """Its address."""
    folder = tempfile.mkdtemp(prefix="ray-")  # its sockets need a short path
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=folder,
    )
    began = [one for one in psutil.Process().children(recursive=True) if one.is_running()]
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()
    _, alive = psutil.wait_procs(began, timeout=20)
    shutil.rmtree(folder, ignore_errors=True)
    assert not alive, alive
