"""The page as a person uses it, in a real browser."""

import os
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page

from recsys_gru import Markov
from recsys_gru.serving import Settings
from recsys_gru.sessions import as_sessions
from tests.browser import DESK, PHONE, chromium
from tests.serving.running import Here, running

PICTURES = os.environ.get("SERVING_PICTURES")
"""A folder for pictures of what the test saw, if wanted."""
EVIL = "<img src=x onerror=document.title='broken'>"
NAMES = {100: EVIL, 101: "Red shirt", 102: "赤いシャツ", 103: "قميص أحمر", 104: None}


def opened(browser: Browser, service: Here, width: int = DESK, scheme: str = "light", path: str = "") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
    page.on("request", lambda one: troubles.append(one.url) if str(service.port) not in one.url else None)
    page.goto(f"http://127.0.0.1:{service.port}/{path}")
    page.wait_for_load_state("networkidle")
    assert troubles == []
    return page


def items_of(page: Page, model: str) -> list[str]:
    """The recommended ids of a model's card, in order."""
    return page.locator(f"section.{model} ol button span:nth-child(2)").all_inner_texts()


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def use(page: Page, service: Here) -> None:
    """A session grows by typing and by picking, shrinks, and the lists change with it."""
    page.wait_for_selector("section.beside")
    assert "new visitor" in page.inner_text("#said")
    popular = items_of(page, "main")
    page.fill("#item", "100")
    page.press("#item", "Enter")
    page.wait_for_selector("#said:has-text('1 click;')")
    page.wait_for_selector("section.main .source:has-text('source: model')")
    expected = [str(one["item_id"]) for one in service.recommend(items=[100], k=10).body["items"]]
    assert items_of(page, "main") == expected != popular
    page.locator("section.main ol button").first.click()
    page.wait_for_selector("#said:has-text('2 clicks')")
    asked = [100, expected[0]]
    told = {
        name: service.recommend(items=asked, k=10, model=name).body["items"] for name in ("main", "beside")
    }
    for name, items in told.items():
        assert items_of(page, name) == [str(one["item_id"]) for one in items]
    page.locator("#session button").first.click()
    page.wait_for_selector("#said:has-text('1 click;')")
    page.click("#clear")
    page.wait_for_selector("#said:has-text('new visitor')")


@pytest.mark.slow
def test_the_page_is_played_with_on_phone_and_desk_by_day_and_by_night(service: Here) -> None:
    with chromium() as browser:
        papers = set()
        for width, scheme in ((PHONE, "dark"), (DESK, "light")):
            page = opened(browser, service, width, scheme)
            use(page, service)
            page.fill("#item", "104")
            page.press("#item", "Enter")
            page.wait_for_selector("#said:has-text('1 click;')")
            page.wait_for_selector("#health:has-text('GRU4Rec')")
            assert page.evaluate("document.documentElement.scrollWidth") == width
            papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            pictured(page, f"page-{width}-{scheme}")
            page.close()
        assert len(papers) == 2
        page = opened(browser, service, PHONE, path="docs")
        page.wait_for_selector("h2:has-text('/v1/recommend')")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE
        for name in (
            "Recommend",
            "exclude_seen",
            "503",
            "/v1/items/{item_id}/similar",
            "default 20. Items wanted.",
        ):
            assert name in page.inner_text("body")
        pictured(page, "docs-phone")


def named(clicks: pl.DataFrame, folder: Path) -> Path:
    """A saved model that knows what some of its items are called."""
    sessions = as_sessions(clicks)
    vocabulary = sessions.vocabulary.named(pl.Series(list(NAMES)), pl.Series(list(NAMES.values())))
    Markov().fit(replace(sessions, vocabulary=vocabulary)).save(folder)
    return folder


def test_names_are_told_where_they_are_asked_for_and_found(clicks: pl.DataFrame, tmp_path: Path) -> None:
    with running(Settings(str(named(clicks, tmp_path / "model")), port=0)) as service:
        items = service.recommend(items=[110], k=12, exclude_seen=False, names=True).body["items"]
        assert {one["item_id"]: one.get("name") for one in items} == NAMES | dict.fromkeys(range(105, 112))
        assert not any("name" in one for one in service.recommend(items=[110]).body["items"])
        assert service.ask("GET", "/readyz").body["models"]["main"]["names"] == 4
        for text, ids in (("shirt%20RED", [101]), ("104", [104]), ("%E8%B5%A4", [102]), ("none", [])):
            found = service.ask("GET", f"/v1/items?find={text}&k=5").body
            assert found["items"] == [{"item_id": one, "name": NAMES[one]} for one in ids]
        assert service.ask("GET", "/v1/items").status == 422


@pytest.mark.slow
def test_items_are_picked_and_shown_by_their_names(clicks: pl.DataFrame, tmp_path: Path) -> None:
    told = Settings(str(named(clicks, tmp_path / "model")), port=0)
    with running(told) as service, chromium() as browser:
        page = opened(browser, service, PHONE, "dark")
        page.fill("#item", "shi")
        page.click("#found button:has-text('Red shirt')")
        page.wait_for_selector("#session button:has-text('Red shirt ×')")
        page.fill("#item", "赤い")  # a piece of its name
        page.press("#item", "Enter")
        page.wait_for_selector("#session button:has-text('赤いシャツ ×')")
        assert page.inner_text("#said").startswith("2 clicks; 0 on items")
        shown = items_of(page, "main")
        expected = service.recommend(items=[101, 102], k=10, names=True).body["items"]
        assert shown == [
            f"{one['name']} {one['item_id']}" if "name" in one else str(one["item_id"]) for one in expected
        ]
        assert any("قميص" in one for one in shown)
        assert page.evaluate("document.images.length") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE
        pictured(page, "page-named")


@pytest.mark.slow
def test_ids_are_texts_on_the_page_whatever_they_hold_and_a_token_is_asked_for(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {"session_id": [1, 1, 2, 2], "item_id": [EVIL, "b", "b", EVIL], "time": [1, 2, 3, 4]}
    ).with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    Markov().fit(log).save(tmp_path / "model")
    with running(Settings(str(tmp_path / "model"), port=0, token="open")) as service, chromium() as browser:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{service.port}/")
        page.wait_for_selector("#token")
        page.fill("#token", "open")
        page.press("#token", "Enter")
        page.wait_for_selector("section.main ol button")
        assert set(items_of(page, "main")) == {EVIL, "b"}
        page.locator("section.main ol button").first.click()
        page.wait_for_selector("#session button")
        assert page.evaluate("document.images.length") == 0
        assert page.title() != "broken"
