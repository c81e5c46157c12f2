"""Who must know is told, and an alert that fails stops nothing."""

import pytest

from pipelines.plumbing.errors import BAD_INPUT, REFUSED
from tests.pipelines.nights import DAY, SMALL_GATE, Home


def test_the_alert_gets_the_message(home: Home) -> None:
    said = home.folder / "said.txt"
    home.configure(alerts={"command": ["tee", str(said)]}, input={"path": "nowhere/{day}.csv"})
    assert home.run() == BAD_INPUT
    assert said.read_text().startswith(f"night of {DAY} failed in ingest (exit 2)")


@pytest.mark.parametrize("wanted", [True, False])
def test_a_refusal_is_told_if_that_is_wanted(ready: Home, wanted: bool) -> None:
    said = ready.folder / "said.txt"
    ready.configure(
        alerts={"command": ["tee", str(said)], "on_refusal": wanted},
        gate={**SMALL_GATE, "over_baseline": 1000.0},
    )
    assert ready.run() == REFUSED
    assert said.exists() is wanted
    if wanted:
        assert said.read_text().startswith(f"night of {DAY}: refused: against the baselines: ")


def test_an_alert_that_cannot_be_sent_is_noted_and_stops_nothing(ready: Home) -> None:
    ready.configure(
        alerts={"command": ["false"], "on_refusal": True}, gate={**SMALL_GATE, "min_coverage": 1.0}
    )
    assert ready.run() == REFUSED
    assert "alert not sent" in (ready.work / "log" / f"{DAY}.jsonl").read_text()
