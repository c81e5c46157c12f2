"""A real headless browser, where one is installed (`make system`)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE, DESK = 390, 1200
CUT = """() => [...document.querySelectorAll('svg.chart')].flatMap(chart => {
  const around = chart.getBoundingClientRect();
  return [...chart.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < around.left - 0.5 || box.right > around.right + 0.5
      || box.top < around.top - 0.5 || box.bottom > around.bottom + 0.5;
  }).map(text => chart.getAttribute('aria-label') + ': ' + text.textContent);
})"""
"""The labels of charts that stick out of them."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; the test is skipped loudly where there is none."""
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: expected chromium or google-chrome on PATH: make system")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def require_readable(browser: Browser, path: Path) -> None:
    """On a phone and on a desk the page is as wide as the window, and no label of a chart is cut."""
    for width in (PHONE, DESK):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(path.absolute().as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width, f"{path} is wider than {width}"
        assert page.evaluate(CUT) == [], f"{path} at {width}"
        page.close()


def papers(browser: Browser, path: Path) -> set[str]:
    """The colours of the page by day and by night."""
    found = set()
    for scheme in ("light", "dark"):
        context = browser.new_context()
        page = context.new_page()
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(path.absolute().as_uri())
        found.add(str(page.evaluate("getComputedStyle(document.body).backgroundColor")))
        context.close()
    return found
