"""What the documents say is true: their code runs, their links and names exist."""

import re
import shutil
from pathlib import Path

import pytest

from recsys_gru.cli.app import app
from recsys_gru.clicks import generate_clicks
from recsys_gru.tracking import names

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUN = ["README.md", *(f"docs/{name}.md" for name in ("tutorial", "facts", "context"))]
RUN += [f"docs/from-{name}.md" for name in ("recbole", "transformers4rec", "official-code")]


def code_of(page: Path) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUN)
def test_the_code_of_a_page_runs(
    name: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(template, tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    generate_clicks(n_sessions=1_000, n_items=60, days=8).write_parquet("clicks.parquet")
    blocks = code_of(ROOT / name)
    assert len(blocks) >= 2
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), scope)  # noqa: S102 - running the documents is the point


def test_the_first_block_of_the_readme_is_about_ten_lines() -> None:
    assert 8 <= len(code_of(ROOT / "README.md")[0].splitlines()) <= 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_of_a_page_exists(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "pictures").glob("*.png"):
        assert picture.stat().st_size < 300_000, picture


def test_the_tracking_page_lists_every_name_with_its_meaning() -> None:
    said = (ROOT / "docs" / "tracking.md").read_text(encoding="utf-8")
    for table in (names.METRICS, names.TAGS, names.ARTIFACTS, names.ALIASES):
        for name, meaning in table.items():
            assert f"| `{name}` | {meaning} |" in said


def test_the_readme_names_every_command() -> None:
    said = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in app.commands if not re.search(rf"\b{name}\b", said)]
