"""The recorded trajectories of the published implementation, and the certificate that users can make
themselves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys_gru.errors import InputError
from recsys_gru.recommender import verify as certificate
from recsys_gru.recommender.verify import verify
from tests.make_trajectories import CASES, TIED, record

NAMES = (
    "bpr_max_separate",
    "bpr_max_tied_momentum",
    "xe_one_hot",
    "xe_tied",
    "xe_tied_in_batch_only",
    "xe_tied_two_layers",
)


def test_all_published_trajectories_are_reproduced_with_lanes_and_metrics(shared: Path) -> None:
    results = {result.name: result for result in verify(shared / "reference")}
    assert tuple(results) == NAMES
    for result in results.values():
        assert result.steps == 244
        assert result.loss <= 1e-4
        assert result.weights <= 1e-3
        assert result.metrics is not None
        assert result.metrics <= 1e-6
        assert result.lanes is True
        assert result.passed


def test_the_shipped_trajectories_are_those_of_the_oracle_and_pass() -> None:
    results = {result.name: result for result in verify()}
    assert set(results) == set(CASES)
    assert all(result.passed for result in results.values())
    with np.load(certificate.SHIPPED / "xe_tied.npz") as shipped:
        made = record(TIED | CASES["xe_tied"])
        assert set(shipped.files) == set(made)
        for name in shipped.files:
            np.testing.assert_allclose(shipped[name], made[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("broken", ["loss", "final/Wy.weight"])
def test_a_wrong_number_in_a_case_fails_it(tmp_path: Path, broken: str) -> None:
    case = copied_case(tmp_path)
    arrays = dict(np.load(case))
    arrays[broken] = arrays[broken].copy()
    arrays[broken][3] = np.nan
    np.savez(case, **arrays)
    (result,) = verify(tmp_path)
    assert not result.passed


def test_wrong_parameters_fail_a_case(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    facts = json.loads(case.with_suffix(".json").read_text())
    facts["params"]["logq"] = 0.5
    case.with_suffix(".json").write_text(json.dumps(facts))
    (result,) = verify(tmp_path)
    assert not result.passed


def test_lanes_that_differ_fail_a_case(shared: Path, tmp_path: Path) -> None:
    for name in ("xe_tied.json", "xe_tied.npz", "train.csv"):
        shutil.copy(shared / "reference" / name, tmp_path)
    lines = (tmp_path / "train.csv").read_text().splitlines()
    (tmp_path / "train.csv").chmod(0o644)
    (tmp_path / "train.csv").write_text("\n".join(lines[:1] + lines[40:]) + "\n")
    (result,) = verify(tmp_path)
    assert result.lanes is False
    assert not result.passed


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        list(verify(tmp_path))
    case = copied_case(tmp_path)
    case.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="xe_tied is not a case"):
        list(verify(tmp_path))


def copied_case(folder: Path) -> Path:
    for suffix in ("json", "npz"):
        shutil.copy(certificate.SHIPPED / f"xe_tied.{suffix}", folder)
    return folder / "xe_tied.npz"
