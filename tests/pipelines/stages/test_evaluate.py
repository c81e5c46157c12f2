"""The page of the challenger, and what single requests of a model take."""

import pytest

from pipelines.plumbing.errors import DONE
from pipelines.stages.evaluate import FEWEST, latency_of
from recsys_gru import Popularity, generate_clicks
from tests.pipelines.nights import DAY, Home


def test_the_page_of_the_challenger_is_written_and_kept_with_the_run(ready: Home) -> None:
    ready.configure(evaluate={"page": True, "baselines": ["Popularity"], "latency_requests": 5})
    assert ready.run() == DONE
    (page,) = (ready.work / "days" / str(DAY)).glob("evaluate-*/report.html")
    assert f"Challenger of {DAY}" in page.read_text()
    assert "report.html" in ready.kept()


@pytest.mark.parametrize(("most_seconds", "made"), [(float("inf"), 30), (0.0, FEWEST)])
def test_requests_are_timed_until_the_time_is_up_but_for_the_first(most_seconds: float, made: int) -> None:
    clicks = generate_clicks(n_sessions=40, n_items=20, days=1, seed=1)
    timed = latency_of(Popularity().fit(clicks), clicks, 30, most_seconds)
    assert timed["latency_requests"] == made
    assert 0 < timed["latency_p50_ms"] <= timed["latency_p99_ms"]
