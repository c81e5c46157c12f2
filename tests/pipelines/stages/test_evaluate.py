"""The page of the challenger."""

from pipelines.plumbing.errors import DONE
from tests.pipelines.nights import DAY, Home


def test_the_page_of_the_challenger_is_written_and_kept_with_the_run(ready: Home) -> None:
    ready.configure(evaluate={"page": True, "baselines": ["Popularity"], "latency_requests": 5})
    assert ready.run() == DONE
    (page,) = (ready.work / "days" / str(DAY)).glob("evaluate-*/report.html")
    assert f"Challenger of {DAY}" in page.read_text()
    assert "report.html" in ready.kept()
