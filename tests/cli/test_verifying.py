"""The equivalence certificate on the command line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys_gru.cli import main
from recsys_gru.recommender.verify import SHIPPED
from tests.cli.conftest import Call


def test_verify_replays_what_the_package_ships(call: Call) -> None:
    said = call("verify", "--threads", 1)
    assert said.count(" ok") == len(list(SHIPPED.glob("*.npz")))
    assert "FAILED" not in said


def test_verify_checks_a_folder_of_published_cases(call: Call, shared: Path) -> None:
    results = json.loads(call("verify", shared / "reference", "--json"))
    assert len(results) == 6
    assert all(result["passed"] and result["lanes"] and result["metrics"] <= 1e-6 for result in results)


def test_a_failed_case_ends_with_exit_code_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("json", "npz"):
        shutil.copy(SHIPPED / f"xe_tied.{suffix}", tmp_path)
    arrays = dict(np.load(tmp_path / "xe_tied.npz"))
    np.savez(tmp_path / "xe_tied.npz", **arrays | {"loss": arrays["loss"] * 1.001})
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(tmp_path)])
    assert ended.value.code == 1
    assert "FAILED" in capsys.readouterr().out
