"""The page on correctness names a test for every known error, and each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "correctness.md").read_text(encoding="utf-8")


def test_every_known_error_names_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (\d+)\. .* \| (.*) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 16))
    for _, cell in rows:
        named = re.findall(r"`([\w/.]+)::(\w+)`", cell)
        assert named
        for path, test in named:
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), (path, test)


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w/.]+)::(\w+)`", PAGE)
    assert len(named) > 60
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), (path, test)
