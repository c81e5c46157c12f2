"""The pages as a person sees them: on a phone and on a desk, by day and by night."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_gru.baselines import Markov, Popularity
from recsys_gru.blend import Blend
from recsys_gru.clicks import generate_clicks
from recsys_gru.evaluation import evaluate, report_page, write_report
from recsys_gru.exploration import describe
from recsys_gru.sessions import Sessions
from recsys_gru.tracking.fit_page import FitPage
from recsys_gru.training import EpochReport
from tests.browser import chromium, papers, require_readable


def logs(folder: Path) -> list[Path]:
    """Pages of a usual log, of one with large counts, of users, and of a single session."""
    day, rows = 86_400, 40_000
    rng = np.random.default_rng(5)
    visits = pl.DataFrame(
        {
            "user_id": np.arange(rows) % 900,
            "item_id": rng.zipf(1.3, rows) % 5_000,
            "time": 1_760_000_000 + np.sort(rng.integers(0, 40 * day, rows)),
        }
    )
    usual = generate_clicks(2_000, 50, days=5, seed=1)
    one = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [1_760_000_000, 1_760_000_060]})
    described = {"usual": usual, "users": visits, "one": one}
    for name, log in described.items():
        describe(log, folder / name, title=f"{name} {'w' * 60}")
    return [folder / name / "log.html" for name in described]


def fits(folder: Path) -> list[Path]:
    """Pages of fits whose figures are tiny and huge, many and few."""
    metrics = {f"{name}_at_{k}": 0.123456 for name in ("recall", "mrr") for k in (5, 10, 20)}
    shapes = {
        "usual": [EpochReport(n, 5 / n, 100_000, 3.1, metrics) for n in range(1, 11)],
        "extreme": [EpochReport(n, 0.00012345 + 1e-9 * n, 10**9, 0.7) for n in range(1, 300)],
        "counting": [],
    }
    for name, epochs in shapes.items():
        data = {"sessions": 12_345_678, "events": 123_456_789, "items": 1_234_567}
        FitPage(f"{name} {'w' * 60}", data, epochs, 12_345.6, {"layers": (100,)}, "E" * 99).write(
            folder / f"{name}.html"
        )
    return [folder / f"{name}.html" for name in shapes]


def reports(folder: Path) -> list[Path]:
    """The page of an evaluation."""
    sessions = Sessions.from_events(generate_clicks(500, 30, days=5, seed=1))
    model = Blend([Markov(), Popularity()]).fit(sessions)
    page = report_page("Blend on a log", model, sessions, evaluate(model, sessions), facts=model.parameters())
    write_report(page, folder, pictures=False)
    return [folder / "report.html"]


@pytest.mark.slow
def test_pages_fit_phone_and_desk_with_whole_axes_and_are_dark_at_night(tmp_path: Path) -> None:
    pages = [*logs(tmp_path), *fits(tmp_path), *reports(tmp_path)]
    with chromium() as browser:
        for page in pages:
            require_readable(browser, page)
            assert len(papers(browser, page)) == 2, page
