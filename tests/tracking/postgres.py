"""A PostgreSQL server of a test's own, behind a unix socket in a temporary folder."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEBIAN = Path("/usr/lib/postgresql")
OWNER = "postgres"


def binary(name: str) -> str:
    """Where a program of the server is; the test is skipped loudly where it is not installed."""
    debian = sorted(DEBIAN.glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(debian[-1]) if debian else None)
    if found is None:
        pytest.skip(f"NO POSTGRESQL: expected {name} on PATH or below {DEBIAN} (Debian package postgresql)")
    return found


@contextmanager
def postgres() -> Iterator[str]:
    """An empty database; gives its URI. The server refuses to be root, so root lends it the user postgres."""
    initdb, control = binary("initdb"), binary("pg_ctl")
    user = OWNER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as home:
        if user is not None:
            shutil.chown(home, user)

        def call(*command: str) -> None:
            subprocess.run(command, check=True, user=user, cwd=home, stdout=subprocess.DEVNULL, timeout=120)

        data = f"{home}/data"
        call(initdb, "--pgdata", data, "--auth", "trust", "--username", OWNER, "--no-sync")
        server = ("--pgdata", data, "--log", f"{home}/log", "--wait", "--silent")
        call(control, "start", *server, "--options", f"-F -c listen_addresses='' -k {home}")
        try:
            yield f"postgresql://{OWNER}@/{OWNER}?host={home}"
        finally:
            call(control, "stop", "--pgdata", data, "--mode", "immediate", "--silent")
