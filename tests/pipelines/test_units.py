"""The units of systemd, as systemd reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.test_package import ROOT

UNITS = sorted(
    path for path in (ROOT / "pipelines" / "deploy").iterdir() if path.suffix in (".service", ".timer")
)
TARGETS = Path("/usr/lib/systemd/system")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_a_unit(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None or not TARGETS.is_dir():
        pytest.skip("NO SYSTEMD: expected systemd-analyze on PATH")
    for folder in (units := tmp_path / "etc/systemd/system", tmp_path / str(TARGETS)[1:]):
        folder.mkdir(parents=True)
    for one in UNITS:
        shutil.copy(one, units)
    for target in TARGETS.glob("*.target"):
        shutil.copy(target, tmp_path / str(TARGETS)[1:])
    command = tmp_path / "srv/recsys-gru/.venv/bin/recsys-gru"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    words = [program, "verify", "--man=no", f"--root={tmp_path}", str(units / unit.name)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert [line for line in said.stderr.splitlines() if "recsys-gru" in line] == []
