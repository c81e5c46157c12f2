"""The site is built without a warning, and what it promises is there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import recsys_gru
from tests.browser import chromium, papers, require_readable

ROOT = Path(__file__).resolve().parents[1]
DOORS = ("tutorials", "how-to", "reference", "explanation")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, the gallery drawn anew; notebooks have a test of their own."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs"]
    command += [f"-Dnb_execution_cache_path={folder / 'cells'}", ".", str(folder / "html")]
    not_run = {"NOT_RUN": "docs/notebooks/*"}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | not_run, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def text_of(page: Path) -> str:
    """A page's HTML."""
    return page.read_text(encoding="utf-8")


def test_the_front_page_has_four_doors_and_every_page_is_behind_one(site: Path) -> None:
    front = text_of(site / "docs" / "index.html")
    cards = front.partition('<section id="four-doors">')[2].partition("</section>")[0]
    assert re.findall(r'class="reference internal" href="([\w-]+)\.html"', cards) == list(DOORS)
    assert "docs/index.html" in text_of(site / "index.html")


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    pages = {page: text_of(page) for page in site.rglob("*.html") if "_modules" not in page.parts}
    places = {page: set(re.findall(r'\bid="([^"]+)"', text)) for page, text in pages.items()}
    assert len(pages) > 60
    broken = []
    for page, text in pages.items():
        for link in re.findall(r'<a [^>]*href="([^"]+)"', text):
            path, _, place = unquote(link).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (place and target in places and place not in places[target]):
                broken.append((page.name, link))
    assert broken == []


def test_every_public_name_has_its_entry_with_its_docstring(site: Path) -> None:
    api = "".join(text_of(page) for page in (site / "docs" / "api").glob("*.html"))
    places = set(re.findall(r'id="recsys_gru\.([\w.]+)"', api))
    modules = {"errors", "tracking"}
    assert set(recsys_gru.__all__) - modules - {"__version__"} <= places
    assert {"tracking.run", "GRU4Rec.fit", "Recommender.recommend", "errors.InputError"} <= places
    assert "Next-item recommendation by a gated recurrent network" in api


def test_the_gallery_is_drawn(site: Path) -> None:
    page = text_of(site / "docs" / "gallery.html")
    drawn = re.findall(r'<img alt="([^"]{20,})"[^>]* src="([^"]+\.png)"', page)
    assert len(drawn) >= 6
    assert all((site / "docs" / path).resolve().stat().st_size > 5_000 for _, path in drawn)
    for title in ("GRU4Rec: fit", "Recall by list length", "How far to believe", "Period by period"):
        assert title in page, title


def test_a_reader_finds_what_is_searched_for_on_desk_and_phone_by_day_and_night(site: Path) -> None:
    with chromium() as browser:
        for name in ("gallery", "api/recommender"):
            require_readable(browser, site / "docs" / f"{name}.html")
        assert len(papers(browser, site / "docs" / "index.html")) == 2
        page = browser.new_page()
        page.goto(f"{(site / 'search.html').as_uri()}?q=partial_fit")
        page.wait_for_selector("#search-results ul.search li a")
        found = page.eval_on_selector_all(
            "#search-results ul.search li a", "links => links.map(one => one.getAttribute('href'))"
        )
        assert any("GRU4Rec.partial_fit" in link for link in found), json.dumps(found)
