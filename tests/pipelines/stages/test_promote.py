"""The metric of the settings decides."""

from datetime import timedelta

from pipelines.plumbing.errors import DONE
from tests.pipelines.nights import DAY, SMALL_GATE, Home


def test_the_gate_judges_by_the_metric_of_the_settings(ready: Home) -> None:
    ready.configure(gate={**SMALL_GATE, "metric": "mrr", "k": 10, "margin": 0.5})
    assert ready.run() == DONE
    assert "against the baselines: mrr_at_10 " in ready.decision()["reason"]
    ready.run(DAY + timedelta(days=1))
    said = {check["name"]: check["said"] for check in ready.decision(DAY + timedelta(days=1))["checks"]}
    assert said["against the champion"].startswith("mrr@10 ")
