"""The dashboard as a person sees it, in a real headless browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Run
from playwright.sync_api import Browser, Page, expect

from recsys_gru import tracking
from recsys_gru.errors import TrackingError
from recsys_gru.evaluation import evaluate
from recsys_gru.tracking.comparison import show_comparison
from recsys_gru.tracking.dashboard import parts_tested, runs_url, server_command
from recsys_gru.tracking.registry import Registry
from tests.browser import chromium
from tests.tracking.helpers import SESSIONS, announce_evaluation, announce_fit, client_of, fitted
from tests.tracking.servers import free_port, mlflow_server

PATIENCE = 30_000


@pytest.fixture(scope="module")
def filled(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a comparison, its model and a registered version."""
    folder = Path(shutil.copytree(template, tmp_path_factory.mktemp("filled") / "mlruns"))
    with tracking.run(folder, name="compare toys", data="toy") as tracker:
        model = announce_fit()
        report = announce_evaluation(model)
        show_comparison(tracker.parent, {"Popularity": report}, "toy")
        run = tracker.run_of(model)
    with tracking.run(folder, name="evaluate other", data="other"):
        evaluate(model, SESSIONS)
    registry = Registry(folder)
    registry.promote(registry.register(model, run=run), "the first one")
    return folder


def run_named(folder: Path, begin: str) -> Run:
    """The run whose name begins so."""
    return next(
        run for run in client_of(folder).search_runs(["1"]) if str(run.info.run_name).startswith(begin)
    )


def port_of(address: str) -> int:
    """The port of a server."""
    return int(address.rpartition(":")[2])


@pytest.fixture(scope="module")
def dashboard(filled: Path) -> Iterator[str]:
    """Address of the dashboard."""
    with mlflow_server(filled, free_port()) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, dashboard: str) -> Iterator[Page]:
    """A fresh page, with nothing kept of those before, that sees the dashboard only."""
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.route("**", lambda route: route.continue_() if dashboard in route.request.url else route.abort())
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


@pytest.mark.slow
def test_a_server_takes_versions_gives_them_back_and_gives_them_up(dashboard: str) -> None:
    registry, model = Registry(dashboard, "through-the-server"), fitted()
    first, second = (registry.register(model, tags={"job": "fresh", "seal": seal}) for seal in "12")
    assert registry.load(first).recommend(SESSIONS).equals(model.recommend(SESSIONS))
    assert registry.keep_only("job", "fresh", "seal", {"2"}) == 1
    assert registry.load(second).recommend(SESSIONS).equals(model.recommend(SESSIONS))
    with pytest.raises(TrackingError, match="cannot read version 1"):
        registry.load(first)


@pytest.mark.slow
def test_a_test_part_shows_its_models_with_their_figures_and_no_others(
    page: Page, dashboard: str, filled: Path
) -> None:
    newest, toy = parts_tested(filled)
    assert str(newest).startswith("other, tested on ")
    assert str(toy).endswith(": 1 model")
    page.goto(runs_url(filled, port_of(dashboard), toy))
    expect(page.get_by_role("link", name="Popularity on toy").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="compare toys").first).to_be_visible(timeout=PATIENCE)
    for column in ("test/mrr_at_20", "test/recall_at_20"):
        expect(page.get_by_role("columnheader").get_by_text(column)).to_be_visible(timeout=PATIENCE)
    assert page.get_by_role("link", name="Popularity on other").count() == 0


@pytest.mark.slow
def test_all_runs_are_on_one_page_too(page: Page, dashboard: str, filled: Path) -> None:
    page.goto(runs_url(filled, port_of(dashboard)))
    for data in ("toy", "other"):
        link = page.get_by_role("link", name=f"Popularity on {data}").first
        expect(link).to_be_visible(timeout=PATIENCE)


@pytest.mark.slow
def test_a_registered_version_links_to_its_run(page: Page, dashboard: str) -> None:
    page.goto(f"{dashboard}/#/models/gru4rec/versions/1")
    expect(page.get_by_role("link", name="Popularity on toy")).to_be_visible(timeout=PATIENCE)


@pytest.mark.slow
def test_the_parent_describes_the_comparison(page: Page, dashboard: str, filled: Path) -> None:
    run = run_named(filled, "compare toys").info
    page.goto(f"{dashboard}/#/experiments/{run.experiment_id}/runs/{run.run_id}")
    expect(page.get_by_text("Models compared on the last days of")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("link", name="Popularity").first).to_be_visible(timeout=PATIENCE)


@pytest.mark.slow
def test_a_run_shows_its_report_and_its_curve(page: Page, dashboard: str, filled: Path) -> None:
    run = run_named(filled, "Popularity on toy").info
    page.goto(f"{dashboard}/#/experiments/{run.experiment_id}/runs/{run.run_id}/artifacts")
    for file, title in (("report.html", "Popularity on toy"), ("training.html", "Popularity: fit on toy")):
        page.get_by_text(file).first.click()
        shown = page.frame_locator("iframe").get_by_role("heading", name=title, exact=True)
        expect(shown).to_be_visible(timeout=PATIENCE)
    page.goto(f"{dashboard}/#/experiments/{run.experiment_id}/runs/{run.run_id}/model-metrics")
    expect(page.get_by_role("heading", name="recall_at_5", exact=True).first).to_be_visible(timeout=PATIENCE)


@pytest.mark.slow
def test_the_registered_model_shows_its_aliases(page: Page, dashboard: str) -> None:
    page.goto(f"{dashboard}/#/models/gru4rec")
    expect(page.get_by_text("champion").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("challenger").first).to_be_visible(timeout=PATIENCE)


def test_a_store_that_is_a_server_has_a_dashboard_already() -> None:
    with pytest.raises(TrackingError, match="is a server already"):
        server_command("http://127.0.0.1:9", 5000)


def test_the_server_listens_on_this_machine_only_with_absolute_places(mlruns: Path) -> None:
    command, surroundings = server_command(mlruns, 5001)
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{mlruns}/mlflow.db"
    assert surroundings["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
