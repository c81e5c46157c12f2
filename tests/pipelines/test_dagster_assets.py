"""The scheduler's own form of the night, in this process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

dg = pytest.importorskip("dagster", reason="NO SCHEDULER: pip install recsys-gru[pipelines]")

from pipelines.dagster_assets import JOB, definitions  # noqa: E402 - only where there is a scheduler
from tests.pipelines.nights import DAY, Home  # noqa: E402 - as above

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def test_a_day_materializes_every_asset_with_the_gates_answer(home: Home) -> None:
    home.take_in_before()
    job = definitions(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance)
        assert result.success
        made = {event.step_key for event in result.get_asset_materialization_events()}
        (check,) = result.get_asset_check_evaluations()
    assert made == {
        "clicks", "day_sessions", "challenger", "ranks", "decision", "recommendations", "run_record",
    }  # fmt: skip
    assert check.passed
    assert home.runs() == ["FINISHED"]
    assert home.run() == 0  # the command line finds all of it done


def test_bad_input_is_not_tried_again_and_wakes_somebody(home: Home) -> None:
    said = home.folder / "said.txt"
    home.configure(alerts={"command": ["tee", str(said)]})
    Path(home.settings().input.file(DAY)).unlink()
    job = definitions(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance, raise_on_error=False)
        events = [event.event_type_value for event in result.all_events]
    assert not result.success
    assert "STEP_UP_FOR_RETRY" not in events
    assert "no clicks have landed" in said.read_text()


def test_a_failure_that_may_pass_is_tried_again(home: Home) -> None:
    home.take_in_before()
    home.configure(tracking={"where": "http://127.0.0.1:9"})
    job = definitions(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance, raise_on_error=False)
        events = [event.event_type_value for event in result.all_events]
    assert events.count("STEP_RESTARTED") == 1


def test_each_tick_asks_for_the_day_before(home: Home) -> None:
    made = definitions(home.settings())
    schedule = made.resolve_schedule_def("every_night")
    tick = datetime(2026, 1, 5, 3, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=tick, repository_def=made.get_repository_def()
        )
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.partition_key == str((tick - timedelta(days=1)).date())
