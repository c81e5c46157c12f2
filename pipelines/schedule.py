"""The job under Dagster: stages as assets of daily partitions, the periods between, retries, pages, alerts.

Nothing here knows how a stage works. Dagster finds `defs` when it is given this module by its name.
"""

import os
import shutil
import signal
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import dagster as dg

from recsys_gru import errors

from .fresh.job import run_fresh
from .nightly import LONGEST, check, watched
from .plumbing.alert import alert
from .plumbing.errors import BAD_INPUT, DONE, REFUSED, STOPS, BadInputError
from .plumbing.periods import form_of, length_of, midnight, period_at
from .plumbing.settings import DEFAULT, Settings, read_settings
from .plumbing.versions import current
from .plumbing.workshop import Done, Stage, days, results
from .stages import STAGES

JOB, DECISION, GATE, FRESH = "nightly", "promote", "gate", "fresh"
FILE = "RECSYS_SETTINGS"
LAG = 5
"""Minutes after the end of a period at which it is learned: its file has landed by then."""
INSTANCE = Path(__file__).with_name("deploy") / "dagster.yaml"


def definitions_of(settings: Settings) -> dg.Definitions:
    """Everything the scheduler needs, for one settings file."""
    daily = dg.DailyPartitionsDefinition(start_date=settings.schedule.first_day.isoformat(), timezone="UTC")
    names = list(STAGES)
    assets = [
        asset_of(STAGES[name], names[:number][-1:], daily, settings) for number, name in enumerate(names)
    ]
    job = dg.define_asset_job(JOB, selection=dg.AssetSelection.assets(*assets))
    between = dg.define_asset_job(FRESH, selection=dg.AssetSelection.assets(FRESH))
    return dg.Definitions(
        assets=[*assets, fresh_asset(settings)], jobs=[job, between],
        schedules=[schedule_of(settings), fresh_schedule(settings)],
        sensors=[waking(settings), seeing(settings)],
        executor=dg.in_process_executor,  # a process a stage would load PyTorch and MLflow seven times
    )  # fmt: skip


def asset_of(
    stage: Stage, before: list[str], daily: dg.DailyPartitionsDefinition, settings: Settings
) -> dg.AssetsDefinition:
    """One stage as an asset; what it counted becomes the metadata of its partition."""
    checks = [dg.AssetCheckSpec(GATE, asset=stage.name)] if stage.name == DECISION else []

    @dg.asset(
        name=stage.name, deps=before, partitions_def=daily, pool=JOB, description=stage.make.__doc__,
        check_specs=checks,
    )  # fmt: skip
    def asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg] # with a parameter it is refused
        done = attempt(stage, date.fromisoformat(context.partition_key), settings, context.retry_number)
        return dg.MaterializeResult(
            metadata=told_of(done), check_results=[gate_answer(done)] if checks else []
        )

    return asset


def periods_of(settings: Settings) -> dg.TimeWindowPartitionsDefinition:
    """A partition for each period between the nights."""
    every = length_of(settings.fresh.every)
    minutes, hours = every // timedelta(minutes=1), every // timedelta(hours=1)
    cron = f"*/{minutes} * * * *" if minutes < 60 else f"0 */{hours} * * *" if hours < 24 else "0 0 * * *"
    start = midnight(settings.schedule.first_day)
    return dg.TimeWindowPartitionsDefinition(
        start=start, cron_schedule=cron, fmt=form_of(every), timezone="UTC"
    )


def fresh_asset(settings: Settings) -> dg.AssetsDefinition:
    """The job between the nights; one run learns all that has ended, and every period of it is told of."""

    plan = settings.schedule

    @dg.asset(name=FRESH, partitions_def=periods_of(settings), pool=JOB, description=run_fresh.__doc__)
    def fresh(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg] # as above
        code, tries = run_fresh(settings), context.retry_number
        report_periods(context.instance, settings, {context.partition_key})
        if code not in (DONE, REFUSED, BAD_INPUT) and tries < plan.retries:
            pause = plan.retry_seconds * 2**tries
            raise dg.RetryRequested(max_retries=plan.retries, seconds_to_wait=pause)
        if code != DONE:  # refused, too: the period is not published, the next run learns it again
            raise dg.Failure(f"fresh ended with exit code {code}: see `status`", allow_retries=False)
        return dg.MaterializeResult()

    return fresh


def report_periods(instance: dg.DagsterInstance, settings: Settings, own: set[str]) -> int:
    """Report the learned periods that no run of Dagster knows of, but a run's own; returns how many."""
    serving = current(settings)
    known = own | set(instance.get_materialized_partitions(dg.AssetKey(FRESH)))
    rows = {} if serving is None else {row["period"]: row for row in serving.ledger()}
    first = midnight(settings.schedule.first_day).isoformat()
    for name in (told := [name for name, row in rows.items() if name not in known and row["start"] >= first]):
        facts = {key: rows[name][key] for key in ("learned", "late", "version", "base")}
        instance.report_runless_asset_event(dg.AssetMaterialization(FRESH, metadata=facts, partition=name))
    return len(told)


def fresh_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The last period, five minutes after it has ended; what was missed before comes with it."""
    every, periods = length_of(settings.fresh.every), periods_of(settings)
    minute, rest = LAG, periods.cron_schedule.split(" ", 1)[1]
    step = every // timedelta(minutes=1)
    ticks = f"{minute % step}-59/{step}" if step < 60 else str(minute)

    @dg.schedule(
        job_name=FRESH, cron_schedule=f"{ticks} {rest}", execution_timezone="UTC", name="every_period",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )  # fmt: skip
    def every_period(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        now = context.scheduled_execution_time or datetime.now(UTC)
        return dg.RunRequest(partition_key=period_at(period_at(now, every).start - every, every).name)

    return every_period


def told_of(done: Done) -> dict[str, str | int | float]:
    """What a stage counted, as metadata of its partition; a decision in a word, so that none is misread."""
    told = {key: value for key, value in done.facts.items() if isinstance(value, str | int | float)}
    if "promoted" in told:
        told["decision"] = "promoted" if told.pop("promoted") else "refused, the champion stays"
    return told | {"folder": str(done.folder), "seconds": done.seconds}


def attempt(stage: Stage, day: date, settings: Settings, tries: int) -> Done:
    """Run a stage as the command line does; what may pass by itself is tried again after a growing pause."""
    plan = settings.schedule
    try:
        with watched(day, settings, stage.name, wake=False):
            check(settings)
            return stage(day, settings)
    except (*STOPS, dg.DagsterExecutionInterruptedError):
        raise
    except BadInputError as error:
        raise dg.Failure(str(error), allow_retries=False) from errors.hiding_secrets(error)
    except BaseException as error:  # such as Polars' PanicException, which is no Exception
        errors.hiding_secrets(error)
        if tries >= plan.retries:
            raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error
        pause = plan.retry_seconds * 2**tries
        raise dg.RetryRequested(max_retries=plan.retries, seconds_to_wait=pause) from error


def gate_answer(done: Done) -> dg.AssetCheckResult:
    """The gate's answer beside the decision: passed is promoted, failed is refused, and stops nothing."""
    return dg.AssetCheckResult(
        check_name=GATE,
        passed=bool(done.facts["promoted"]),
        severity=dg.AssetCheckSeverity.WARN,
        description="passed: the challenger was promoted; failed: it was refused, the champion stays",
        metadata={"decision": str(told_of(done)["decision"]), "reason": str(done.facts["reason"])},
    )


def schedule_of(settings: Settings) -> dg.ScheduleDefinition:
    """The night of the day before each tick."""

    @dg.schedule(
        job_name=JOB, cron_schedule=settings.schedule.cron, execution_timezone="UTC", name="every_night",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )  # fmt: skip
    def every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        now = context.scheduled_execution_time or datetime.now(UTC)
        day = (now.astimezone(UTC).date() - timedelta(days=1)).isoformat()
        return dg.RunRequest(partition_key=day)

    return every_night


def seeing(settings: Settings) -> dg.SensorDefinition:
    """Tell Dagster of nights that were done by hand or by cron: else their partitions would look missed."""

    @dg.sensor(
        name="hand_run_nights", minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )  # fmt: skip
    def hand_run_nights(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        told = report_hand_run(context.instance, settings)
        return dg.SkipReason(f"{told} stages that were done outside of Dagster were told of")

    return hand_run_nights


def report_hand_run(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Report every finished stage that no run of Dagster knows of; returns how many."""
    told = 0
    known = {name: instance.get_materialized_partitions(dg.AssetKey(name)) for name in STAGES}
    for day in days(settings):
        for done in results(settings, day) if day >= settings.schedule.first_day else ():
            if done.stage not in known or day.isoformat() in known[done.stage]:
                continue
            metadata = {**told_of(done), "made": "outside of Dagster"}
            instance.report_runless_asset_event(
                dg.AssetMaterialization(done.stage, metadata=metadata, partition=day.isoformat())
            )
            if done.stage == DECISION:
                instance.report_runless_asset_event(_evaluation(done))
            known[done.stage].add(day.isoformat())
            told += 1
    return told


def _evaluation(done: Done) -> dg.AssetCheckEvaluation:
    """The gate's answer of a night that was run by hand."""
    answer = gate_answer(done)
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(DECISION), check_name=GATE, passed=answer.passed, severity=answer.severity,
        metadata=answer.metadata, description=answer.description,
    )  # fmt: skip


def waking(settings: Settings) -> dg.SensorDefinition:
    """Send the alert of the settings when a run has failed for good or was killed, however it was begun."""

    @dg.run_failure_sensor(name="wake_somebody", default_status=dg.DefaultSensorStatus.RUNNING)
    def wake_somebody(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        failed = [event.step_failure_data.error_display_string for event in context.get_step_failure_events()]
        causes = "; ".join(cause.partition("\n")[0][:LONGEST] for cause in failed)
        day = run.tags.get("dagster/partition")
        alert(
            settings,
            f"night of {day} failed in Dagster's run {run.run_id}: {causes or context.failure_event.message}",
        )

    return wake_somebody


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads: everything for the settings file that RECSYS_SETTINGS names."""
    return definitions_of(read_settings(Path(os.environ.get(FILE, DEFAULT))))


def start(settings: Settings, port: int) -> NoReturn:
    """Become Dagster, with its history in ``work/schedule``; Ctrl-C and SIGTERM stop it with its children.

    Dagster treats SIGTERM as it found SIGINT: started in the background of a script, where shells have
    SIGINT ignored, it could not be stopped at all. So SIGINT is made usual again first.
    """
    home = settings.work.folder / "schedule"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE, home / INSTANCE.name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dagster = [sys.executable, "-m", "dagster", "dev", "--module-name", __name__, "--port", str(port)]
    known = {"DAGSTER_HOME": str(home), FILE: str(settings.file)}
    os.execve(sys.executable, dagster, {**os.environ, **known})  # noqa: S606 - fixed words, no shell
