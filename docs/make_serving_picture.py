"""Take docs/pictures/serving.png: the page of a service with two models, whose items an items file names.

Needs chromium and the extras `serve` and `dev`: `python docs/make_serving_picture.py`.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from playwright.sync_api import Page, sync_playwright

import recsys_gru as rg

PICTURE = Path(__file__).parent / "pictures" / "serving.png"
COLOURS, THINGS = ("Red", "Blue", "Green", "White", "Black"), ("shirt", "jacket", "scarf", "boots", "hat")
NAMES = {101 + place: f"{one} {thing}" for place, (one, thing) in enumerate(
    (one, thing) for one in COLOURS for thing in THINGS
)}  # fmt: skip


def made_up(n_sessions: int) -> pl.DataFrame:
    """Sessions until a minute ago that stay with a colour mostly, and go on from thing to thing."""
    draw, rows = np.random.default_rng(1), []
    for session in range(n_sessions):
        colour, thing = draw.integers(5, size=2)
        for step in range(int(draw.integers(2, 7))):
            rows.append(
                (session, 101 + int(5 * colour + thing), time.time() - 60 * (n_sessions - session) + step)
            )
            colour = colour if draw.random() < 0.8 else draw.integers(5)
            thing = (thing + draw.integers(1, 3)) % 5
    log = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    return log.with_columns((pl.col("time") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC")))


def played(page: Page, address: str) -> None:
    """Pick two items by words of their names, as a person does."""
    page.goto(address)
    page.wait_for_selector("section.beside")
    for words, count in (("red sh", "1 click;"), ("scarf blue", "2 clicks")):
        page.fill("#item", words)
        page.click("#found button")
        page.wait_for_selector(f"#said:has-text('{count}')")
    page.fill("#item", "gre")
    page.wait_for_selector("#found button")
    page.wait_for_selector("#health:has-text('GRU4Rec')")


def main() -> None:
    """Fit, serve, play, take the picture."""
    with tempfile.TemporaryDirectory() as place:
        home, clicks = Path(place), made_up(600)
        rg.GRU4Rec(layers=(24,), batch_size=16, n_sample=32, n_epochs=8).fit(clicks).save(home / "network")
        rg.Markov().fit(clicks).save(home / "markov")
        items = home / "items.csv"
        pl.DataFrame({"item_id": list(NAMES), "name": list(NAMES.values())}).write_csv(items)
        words = ["serve", str(home / "network"), "--beside", str(home / "markov"), "--items", str(items)]
        command = [sys.executable, "-c", "from recsys_gru.cli import main; main()", *words, "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = next(iter(server.stdout or ())).split()[2]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 1200, "height": 800})
                played(page, address)
                page.screenshot(path=PICTURE, full_page=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
