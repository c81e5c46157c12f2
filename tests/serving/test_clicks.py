"""The log of clicks: what is acknowledged is on disk, in files that the job between the nights takes in."""

import asyncio
import os
import resource
import signal
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import polars as pl
import pytest

from pipelines.plumbing import periods
from recsys_gru import check_clicks, read_clicks
from recsys_gru.errors import InputError, ParameterError
from recsys_gru.serving.clicks import Click, ClickLog
from recsys_gru.serving.refusal import RefusedError
from recsys_gru.serving.segments import HEAD, OPEN, closed, free_writer, length_of, mended, name_of, start_of
from recsys_gru.serving.service import require_believable
from tests.serving.running import process, wait_for

HOUR = 3600
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


class Clock:
    """Says what it is told."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def log_in(folder: Path, clock: Clock, kept: list[bool] | None = None) -> ClickLog:
    return ClickLog(folder, "1h", clock, lambda _, __, good: (kept if kept is not None else []).append(good))


def lines_of(folder: Path) -> list[str]:
    """The lines of all files of the log."""
    files = [*closed(folder), *sorted((folder / OPEN).glob("*.csv"))]
    return [line for file in files for line in file.read_text().splitlines()[1:]]


def test_clicks_come_back_as_they_were_from_files_that_are_click_logs(tmp_path: Path) -> None:
    strange = ['a,"b"', "ü 🐈", "it's", "=1+1", "x;y"]

    async def main() -> None:
        clock = Clock()
        log = log_in(tmp_path, clock)
        await asyncio.gather(*(log.add(Click(f"s{n}", item, NOON + n)) for n, item in enumerate(strange)))
        clock.now = NOON + HOUR + 3
        wait_for(lambda: len(closed(tmp_path)) == 1)
        log.close()

    asyncio.run(main())
    (file,) = closed(tmp_path)
    assert file.name == "2026-03-01T12.csv"
    events = check_clicks(read_clicks(file)).clicks.lazy().collect()
    assert events["item_id"].to_list() == strange
    assert events["session_id"].to_list() == [f"s{n}" for n in range(5)]
    assert events["time"].dt.epoch("us").to_list() == [int((NOON + n) * 1e6) for n in range(5)]


@pytest.mark.parametrize(("days", "good"), [(0, True), (365, True), (368, False), (20_000, False)])
def test_a_time_is_believed_at_the_door_as_it_is_by_who_reads_the_log(days: int, good: bool) -> None:
    past = NOON - days * 24 * HOUR
    times = [*(NOON + n for n in range(30)), past]
    log = pl.DataFrame({"session_id": "s", "item_id": range(31), "time": times})
    kept = check_clicks(log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))).clicks
    assert (30 in kept.lazy().collect()["item_id"]) is good
    with nullcontext() if good else pytest.raises(RefusedError, match=f"{days * 86_400:,} s behind"):
        require_believable(past, NOON)


def test_clicks_that_come_together_are_one_writing_and_each_is_there_once(tmp_path: Path) -> None:
    async def main() -> list[bool]:
        kept: list[bool] = []
        log = log_in(tmp_path, Clock(), kept)
        await asyncio.gather(*(log.add(Click("s", n, NOON)) for n in range(2000)))
        log.close()
        return kept

    assert len(asyncio.run(main())) == 1
    assert sorted(int(line.split(",")[1]) for line in lines_of(tmp_path)) == list(range(2000))


def test_periods_are_closed_by_the_clock_late_clicks_go_on_and_quiet_ones_leave_a_file(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        clock = Clock(NOON + HOUR - 1)
        log = log_in(tmp_path, clock)
        await log.add(Click("a", 1, clock.now))
        clock.now = NOON + HOUR + 1  # within the grace: a click of before is still of its period
        await log.add(Click("a", 2, NOON + HOUR - 0.5))
        await log.add(Click("a", 3, clock.now))
        assert not closed(tmp_path)
        clock.now = NOON + HOUR + 3
        wait_for(lambda: len(closed(tmp_path)) == 1)
        await log.add(Click("a", 4, NOON))  # late: taken in with the present period
        clock.now = NOON + 4 * HOUR + 3
        wait_for(lambda: len(closed(tmp_path)) == 4)
        log.close()

    asyncio.run(main())
    found = {
        file.stem: [line.split(",")[1] for line in file.read_text().splitlines()[1:]]
        for file in closed(tmp_path)
    }
    assert found == {
        "2026-03-01T12": ["1", "2"],
        "2026-03-01T13": ["3", "4"],
        "2026-03-01T14": [],
        "2026-03-01T15": [],
    }


def test_a_clock_that_jumps_loses_no_click(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        log = log_in(tmp_path, clock)
        for item, hours in enumerate((0, 5, -3, 0, 24 * 365 * 50, 0)):
            clock.now = NOON + hours * HOUR
            await log.add(Click("s", item, clock.now))
        clock.now = NOON + 24 * 365 * 51 * HOUR
        wait_for(lambda: len(list((tmp_path / OPEN).glob("*.csv"))) == 1)
        log.close()

    asyncio.run(main())
    assert sorted(int(line.split(",")[1]) for line in lines_of(tmp_path)) == list(range(6))
    assert len(closed(tmp_path)) <= 420


def test_what_a_crash_left_is_mended_and_gone_on_with(tmp_path: Path) -> None:
    segment = tmp_path / OPEN / "2026-03-01T12.0.csv"

    async def write(clock: Clock, item: int) -> None:
        log = log_in(tmp_path, clock)
        await log.add(Click("s", item, clock.now))
        log.close()

    asyncio.run(write(Clock(), 1))
    with segment.open("ab") as file:
        file.write(b"s,2,2026-03-0")
    asyncio.run(write(Clock(NOON + 60), 3))
    assert [line.split(",")[1] for line in lines_of(tmp_path)] == ["1", "3"]
    asyncio.run(write(Clock(NOON + 3 * HOUR), 4))  # hours later: the old period is closed, the empty ones too
    assert [file.stem[-2:] for file in closed(tmp_path)] == ["12", "13", "14"]
    assert len(closed(tmp_path)[1].read_bytes()) == len(HEAD)
    segment.write_bytes(b"sess")
    mended(segment)
    assert segment.read_bytes() == HEAD


def test_two_writers_make_one_file_and_a_killed_ones_clicks_are_in_it(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        one, two = log_in(tmp_path, clock), log_in(tmp_path, clock)
        await asyncio.gather(one.add(Click("a", 1, NOON)), two.add(Click("b", 2, NOON)))
        orphan = tmp_path / OPEN / "2026-03-01T12.7.csv"
        orphan.write_bytes(HEAD + b"c,3,2026-03-01T12:00:00.000000Z\nc,4")
        assert len(list((tmp_path / OPEN).glob("*.csv"))) == 3
        clock.now = NOON + HOUR + 3
        wait_for(lambda: not list((tmp_path / OPEN).glob("2026-03-01T12.*.csv")))
        one.close()
        two.close()

    asyncio.run(main())
    assert sorted(line.split(",")[1] for line in lines_of(tmp_path)) == ["1", "2", "3"]
    assert [file.name for file in closed(tmp_path)] == ["2026-03-01T12.csv"]


def test_numbers_of_writers_are_held_as_long_as_they_live(tmp_path: Path) -> None:
    (tmp_path / OPEN).mkdir()
    (one, first), (two, second) = free_writer(tmp_path), free_writer(tmp_path)
    assert (one, two) == (0, 1)
    first.close()
    third, guard = free_writer(tmp_path)
    assert third == 0
    for held in (guard, second):
        held.close()


def test_a_disk_that_fails_keeps_nothing_of_what_was_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = threading.Event()
    sync = os.fsync

    def failing(handle: int) -> None:
        if full.is_set():
            raise OSError(28, "No space left on device")
        sync(handle)

    async def main() -> None:
        log = log_in(tmp_path, Clock())
        await log.add(Click("s", 1, NOON))
        full.set()
        with pytest.raises(RefusedError, match="No space left") as refused:
            await log.add(Click("s", 2, NOON))
        assert (refused.value.status, log.trouble != "") == (503, True)
        full.clear()
        await log.add(Click("s", 3, NOON))
        assert log.trouble == ""
        log.close()

    monkeypatch.setattr(os, "fsync", failing)
    asyncio.run(main())
    assert [line.split(",")[1] for line in lines_of(tmp_path)] == ["1", "3"]


def test_a_place_or_period_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def main() -> None:
        with pytest.raises(InputError, match="cannot write clicks"):
            log_in(tmp_path / "file", Clock())

    asyncio.run(main())
    for every in ("7min", "1d", "90min", "an hour", "0h", "5h"):
        with pytest.raises(ParameterError, match="divide"):
            length_of(every)


@pytest.mark.parametrize("every", ["1min", "15min", "1h", "6h", "12h"])
def test_periods_are_cut_and_named_as_by_the_job_that_takes_them_in(every: str) -> None:
    length, theirs = length_of(every), periods.length_of(every)
    assert theirs.total_seconds() == length
    for moment in (NOON, NOON + 12_345.6, NOON - 86_400 * 59.99):
        start = int(moment // length * length)
        period = periods.period_at(datetime.fromtimestamp(moment, UTC), theirs)
        assert (name_of(start, length), start_of(period.name)) == (period.name, start)
        assert period.start.timestamp() == start


def small_files() -> None:
    """As a disk that is full after some clicks."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


@pytest.mark.slow
def test_a_full_disk_is_answered_with_503_and_loses_nothing(folder: Path, tmp_path: Path) -> None:
    with process(folder, "--clicks", tmp_path, "--sessions", "memory", before=small_files) as service:
        kept = 0
        for number in range(80):
            reply = service.click("s", number)
            assert reply.status in (200, 503), reply
            assert reply.status == 200 or "File too large" in reply.body["error"]
            assert reply.status == 200 or reply.headers["retry-after"] == "1"
            kept += reply.status == 200
        assert 0 < kept < 80
        assert service.recommend(session_id="s").body["known"] == 0
        assert service.recommend(items=[100]).status == 200
        assert service.ask("GET", "/readyz").body["clicks"]["trouble"]
        assert service.figure("click_failures_total") == 80 - kept
        assert service.kill() == -signal.SIGKILL
    assert [int(line.split(",")[1]) for line in lines_of(tmp_path)] == list(range(kept))


@pytest.mark.slow
def test_kill_9_loses_no_acknowledged_click(folder: Path, tmp_path: Path) -> None:
    acknowledged: list[str] = []

    def click(service: object, name: int) -> None:
        for number in range(100_000):
            try:
                reply = service.click(f"s{name}", f"{name}-{number}")  # type: ignore[attr-defined]
            except (OSError, ValueError, HTTPException):  # of a connection that broke at any place
                return
            if reply.status == 200:
                acknowledged.append(f"{name}-{number}")

    with process(folder, "--clicks", tmp_path) as service:
        askers = [threading.Thread(target=click, args=(service, name)) for name in range(4)]
        for asker in askers:
            asker.start()
        wait_for(lambda: len(acknowledged) > 150)
        assert service.kill() == -signal.SIGKILL
        for asker in askers:
            asker.join()
    for segment in (tmp_path / OPEN).glob("*.csv"):
        mended(segment)
    items = [line.split(",")[1] for line in lines_of(tmp_path)]
    assert set(acknowledged) <= set(items)
    assert len(items) == len(set(items)) <= len(acknowledged) + 4
    with process(folder, "--clicks", tmp_path) as service:
        assert service.click("again", "last").status == 200
        assert service.kill(signal.SIGTERM) in (0, -signal.SIGTERM)
    assert [line.split(",")[1] for line in lines_of(tmp_path)] == [*items, "last"]
