"""Whatever comes is noted, has a code and wakes somebody; passwords stay hidden on the way."""

import json
import os
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines import nightly
from pipelines.plumbing.errors import BAD_INPUT, DONE, FAILED, REFUSED
from pipelines.plumbing.settings import Settings
from pipelines.stages.record import record
from pipelines.stages.train import train
from pipelines.status import page, status
from tests.pipelines.nights import DAY, Home, command

HIDDEN = "hunter2"


class PanicException(BaseException):
    """As Polars' own, which is no Exception."""


@pytest.fixture
def told(ready: Home) -> Path:
    """Where the alert goes."""
    said = ready.folder / "said.txt"
    ready.configure(alerts={"command": ["tee", str(said)]})
    return said


def breaking(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the work of every night end like this."""

    def broken(_: date, __: Settings) -> None:
        raise error

    monkeypatch.setattr(nightly, "nightly", broken)


def test_what_is_no_exception_is_noted_and_wakes_somebody(
    ready: Home, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, PanicException("out of range"))
    options = ["--day", str(DAY), "--settings", str(ready.file)]
    assert command("nightly", *options) == FAILED
    assert ready.failure()["why"] == "PanicException: out of range"
    assert "PanicException: out of range" in told.read_text()
    assert "look at the clicks that landed" in page(status(ready.settings()))


def test_a_panic_of_polars_itself_is_no_refusal(ready: Home, told: Path) -> None:
    clicks = pl.read_parquet(ready.settings().input.file(DAY))
    broken = clicks.with_columns(time=pl.lit(2**62).cast(pl.Datetime("ms", "UTC")))
    ready.land(DAY, broken)
    assert ready.run() in (BAD_INPUT, FAILED)
    assert ready.failure()["exit_code"] in (BAD_INPUT, FAILED)
    assert told.exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_on_purpose_stays_what_it_is(
    ready: Home, told: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    breaking(monkeypatch, stop())
    with pytest.raises(stop):
        ready.run()
    assert not told.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_work_folder_that_cannot_be_written_wakes_somebody(ready: Home, told: Path) -> None:
    ready.work.chmod(0o500)
    assert ready.run() == FAILED
    ready.work.chmod(0o700)
    assert "PermissionError" in told.read_text()


def test_a_work_folder_that_is_a_file_wakes_somebody(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    said = home.folder / "said.txt"
    home.configure(alerts={"command": ["tee", str(said)]})
    home.work.write_text("in the way")
    assert home.run() == FAILED
    assert "failed in start" in said.read_text()
    assert "FileExistsError" in capsys.readouterr().err


def test_passwords_are_hidden_in_log_note_alert_and_status(
    ready: Home, told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.configure(
        tracking={"where": f"http://shop:{HIDDEN}@127.0.0.1:9"},
        alerts={"command": ["tee", str(told)]},
    )
    options = ["--day", str(DAY), "--settings", str(ready.file)]
    assert command("nightly", *options) == FAILED
    assert command("rollback", "--settings", str(ready.file)) == FAILED
    assert command("status", "--settings", str(ready.file)) == DONE
    assert command("status", "--json", "--settings", str(ready.file)) == DONE
    said = capsys.readouterr()
    assert "127.0.0.1:9" in told.read_text()
    for text in (said.out, said.err, told.read_text(), json.dumps(ready.failure())):
        assert HIDDEN not in text
    for path in ready.work.rglob("*"):
        assert not path.is_file() or HIDDEN.encode() not in path.read_bytes(), path


def test_the_temporary_files_of_a_killed_night_go_with_the_next(ready: Home) -> None:
    left = ready.work / "scratch" / "tmp123" / "model"
    left.mkdir(parents=True)
    assert ready.run() == DONE
    assert not (ready.work / "scratch").exists()


@pytest.mark.parametrize("clicks", ["one", "unknown"])
def test_a_day_on_which_nothing_can_be_asked_is_refused(ready: Home, clicks: str) -> None:
    landed = pl.read_parquet(ready.settings().input.file(DAY))
    unknown = landed.with_columns(item_id=pl.col("item_id") + 10**6)
    one = landed.head(1).with_columns(session_id=pl.lit(10**6, pl.Int64))
    ready.land(DAY, one if clicks == "one" else unknown)
    assert ready.run() == REFUSED
    assert ready.run() == REFUSED
    assert "something to ask" in ready.decision()["reason"]
    assert ready.runs() == ["FINISHED"]
    assert "2026-01-04: something to ask: " in page(status(ready.settings()))
    assert record.made(DAY, ready.settings()).facts["metrics"]
    assert train.made(DAY, ready.settings()).seconds < time.time()
