"""The scheduler's own form of the night, in this process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

dg = pytest.importorskip("dagster", reason="NO SCHEDULER: pip install recsys-gru[pipelines]")

from pipelines.backfill import missed  # noqa: E402 - only where there is a scheduler
from pipelines.plumbing.errors import FAILED  # noqa: E402 - as above
from pipelines.plumbing.workshop import Facts, stage  # noqa: E402 - as above
from pipelines.schedule import (  # noqa: E402 - as above
    FILE,
    JOB,
    attempt,
    definitions_of,
    defs,
    periods_of,
    report_hand_run,
    report_periods,
    seeing,
    waking,
)
from pipelines.stages import STAGES  # noqa: E402 - as above
from pipelines.stages.ingest import ingest  # noqa: E402 - as above
from pipelines.status import page, status  # noqa: E402 - as above
from tests.pipelines.hours import prepared  # noqa: E402 - as above
from tests.pipelines.nights import DAY, FIRST, SMALL_GATE, Home  # noqa: E402 - as above

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


def test_a_day_materializes_every_asset_with_the_gates_answer(home: Home) -> None:
    home.take_in_before()
    job = definitions_of(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance)
        assert result.success
        made = {event.step_key for event in result.get_asset_materialization_events()}
        (check,) = result.get_asset_check_evaluations()
    assert made == set(STAGES)
    assert check.passed
    assert home.runs() == ["FINISHED"]
    assert home.run() == 0  # the command line finds all of it done


def test_bad_input_is_not_tried_again_and_wakes_somebody(home: Home) -> None:
    said = home.folder / "said.txt"
    home.configure(alerts={"command": ["tee", str(said)]})
    Path(home.settings().input.file(DAY)).unlink()
    job = definitions_of(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance, raise_on_error=False)
        events = [event.event_type_value for event in result.all_events]
        (failure,) = (event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context(
            sensor_name="wake_somebody", dagster_event=failure, dagster_instance=instance,
            dagster_run=result.dagster_run,
        )  # fmt: skip
        waking(home.settings())(context.for_run_failure())
    assert not result.success
    assert "STEP_UP_FOR_RETRY" not in events
    assert said.read_text().startswith(f"night of {DAY} failed in Dagster's run ")
    assert "no clicks have landed" in said.read_text()


def test_a_failure_that_may_pass_is_tried_again(home: Home) -> None:
    home.take_in_before()
    home.configure(tracking={"where": "http://127.0.0.1:9"})
    job = definitions_of(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance, raise_on_error=False)
        events = [event.event_type_value for event in result.all_events]
    assert events.count("STEP_RESTARTED") == 1
    assert home.failure()["exit_code"] == FAILED  # the notes and the log are those of the command line
    assert f"{DAY} failed in ingest: TrackingError" in page(status(home.settings()))


def test_pauses_between_tries_grow_and_the_last_failure_is_final(home: Home) -> None:
    settings = home.configure(schedule={"retries": 2, "retry_seconds": 60, "first_day": FIRST})

    @stage("broken", lambda *_: [])
    def broken(*_: object) -> Facts:
        raise OSError("no such luck")

    for tries, pause in ((0, 60), (1, 120)):
        with pytest.raises(dg.RetryRequested) as asked:
            attempt(broken, DAY, settings, tries)
        assert asked.value.seconds_to_wait == pause
    with pytest.raises(dg.Failure, match="OSError: no such luck") as final:
        attempt(broken, DAY, settings, 2)
    assert not final.value.allow_retries


def test_a_missed_week_is_backfilled_and_old_days_leave_the_champion(home: Home) -> None:
    home.take_in_before()
    job = definitions_of(home.settings()).resolve_job_def(JOB)
    days = [DAY + timedelta(days=step) for step in (2, 0, 1)]
    with dg.DagsterInstance.ephemeral() as instance:
        for step in range(2):
            ingest(DAY + timedelta(days=step), home.settings())
        passed = {}
        for day in days:
            result = job.execute_in_process(partition_key=str(day), instance=instance)
            (check,) = result.get_asset_check_evaluations()
            passed[day] = check.passed
        done = instance.get_materialized_partitions(dg.AssetKey("recommend"))
    assert passed == {days[0]: True, days[1]: False, days[2]: False}
    assert "newer" in home.decision(days[2])["reason"]
    assert done == {str(day) for day in days}
    assert missed(DAY, days[0], home.settings()) == []


def test_a_refused_night_fails_the_gates_check_in_words(home: Home) -> None:
    home.take_in_before()
    home.configure(gate={**SMALL_GATE, "min_coverage": 1.0})
    job = definitions_of(home.settings()).resolve_job_def(JOB)
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(partition_key=str(DAY), instance=instance)
        (check,) = result.get_asset_check_evaluations()
        (made,) = (e for e in result.get_asset_materialization_events() if e.step_key == "promote")
    assert result.success
    assert (check.check_name, check.passed) == ("gate", False)
    assert check.metadata["decision"].value == "refused, the champion stays"
    assert made.materialization.metadata["decision"].value == "refused, the champion stays"
    assert "promoted" not in made.materialization.metadata


def test_a_night_that_was_run_by_hand_is_seen(serving: Home) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance)
        seeing(serving.settings())(context)
        for name in STAGES:
            assert str(DAY) in instance.get_materialized_partitions(dg.AssetKey(name))
        assert str(FIRST) in instance.get_materialized_partitions(dg.AssetKey("ingest"))
        assert report_hand_run(instance, serving.settings()) == 0


def test_each_tick_asks_for_the_day_before(home: Home) -> None:
    made = definitions_of(home.settings())
    schedule = made.resolve_schedule_def("every_night")
    tick = datetime(2026, 1, 5, 3, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=tick, repository_def=made.get_repository_def()
        )
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert request.partition_key == str((tick - timedelta(days=1)).date())


def test_dagster_loads_the_settings_file_that_it_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure(schedule={"cron": "30 4 * * *"})
    monkeypatch.setenv(FILE, str(home.file))
    assert defs().resolve_schedule_def("every_night").cron_schedule == "30 4 * * *"


def test_missed_periods_are_caught_up_in_one_run_and_each_is_told_of(tmp_path: Path, template: Path) -> None:
    home = prepared(tmp_path / "home", template)
    made = definitions_of(home.settings())
    (home.folder / "landing" / "2026-01-04T18.parquet").unlink()
    with dg.DagsterInstance.ephemeral() as instance:
        job = made.resolve_job_def("fresh")
        run = job.execute_in_process(partition_key="2026-01-04T12", instance=instance, raise_on_error=False)
        assert not run.success  # the period after the third has not landed, but these three are learned
        assert report_periods(instance, home.settings(), set()) == 1  # its own, as it failed
        known = instance.get_materialized_partitions(dg.AssetKey("fresh"))
    assert known == {"2026-01-04T00", "2026-01-04T06", "2026-01-04T12"}


def test_each_tick_asks_for_the_period_before(home: Home) -> None:
    for every, tick, cron, period in (
        ("15min", datetime(2026, 1, 5, 3, 20, tzinfo=UTC), "5-59/15 * * * *", "2026-01-05T03-00"),
        ("1h", datetime(2026, 1, 5, 0, 5, tzinfo=UTC), "5 */1 * * *", "2026-01-04T23"),
        ("1d", datetime(2026, 1, 5, 0, 5, tzinfo=UTC), "5 0 * * *", "2026-01-04"),
    ):
        made = definitions_of(home.configure(fresh={"every": every}))
        schedule = made.resolve_schedule_def("every_period")
        assert schedule.cron_schedule == cron
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_schedule_context(
                instance=instance, scheduled_execution_time=tick, repository_def=made.get_repository_def()
            )
            (request,) = schedule.evaluate_tick(context).run_requests or ()
        assert request.partition_key == period
        assert period in periods_of(home.settings()).get_partition_keys(current_time=tick)
