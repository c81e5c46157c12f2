"""Between the nights: periods are learned once, in order, and what the guard refuses never serves."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines.fresh.guard import is_finite
from pipelines.fresh.job import catch_up
from pipelines.fresh.stream import Memory
from pipelines.fresh.tell import unbalanced
from pipelines.plumbing.errors import BAD_INPUT, DONE, LOCKED, REFUSED, BadInputError
from pipelines.plumbing.lock import locked
from pipelines.plumbing.versions import fresh_folder, kept
from pipelines.stages.champion import registry_of
from pipelines.stages.ingest import ingest
from pipelines.status import page, status
from recsys_gru import Blend, GRU4Rec, Markov, Popularity, load
from recsys_gru.tracking.delivery import connect, store_at
from tests.pipelines.hours import (
    FRESH,
    HOURS,
    MODEL,
    at,
    copied,
    crown,
    fresh,
    land_one,
    landed,
    log,
    serving,
    weights,
)
from tests.pipelines.nights import DAY, Home, command


@pytest.fixture
def home(begun_day: Home, tmp_path: Path) -> Home:
    """A copy of the project with a champion."""
    return copied(begun_day, tmp_path / "home")


def versions(home: Home) -> list[str]:
    """The folders beside the versions, hidden ones too."""
    folder = fresh_folder(home.settings()) / "versions"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_day_of_updates_learns_every_click_once_and_tells_of_it(whole_day: Home) -> None:
    rows = serving(whole_day).ledger()
    assert [row["period"] for row in rows] == [f"{DAY}T{hour - 6:02}" for hour in HOURS]
    assert [row["version"] for row in rows] == [1, 2, 3, 4]
    assert [row["learned"] for row in rows] == [landed(whole_day, at(hour - 6)).height for hour in HOURS]
    assert unbalanced(whole_day.settings()) == []
    assert all(0 <= row["recall"] <= 1 and 0 <= row["nightly_recall"] <= 1 for row in rows)
    last = landed(whole_day, at(18))["time"].max()
    assert isinstance(last, datetime)
    span = load(serving(whole_day).model).span_
    assert span is not None
    assert span[1] == int(last.timestamp() * 1e6)
    assert [version.number for version in kept(whole_day.settings())] == [3, 4]
    told = page(status(whole_day.settings()))
    assert f"{DAY}T18" in told
    assert "nightly's" in told


def test_the_curves_are_in_mlflow_with_a_point_a_period(whole_day: Home) -> None:
    client = connect(store_at(whole_day.mlruns))
    experiment = client.get_experiment_by_name("nightly")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.role = 'fresh'")
    points = client.get_metric_history(run.info.run_id, "fresh/recall")
    assert sorted(point.timestamp for point in points) == [
        int(at(hour - 6).timestamp() * 1000) for hour in HOURS
    ]


def test_missed_periods_are_caught_up_in_one_go_to_the_same_bytes(home: Home, whole_day: Home) -> None:
    assert fresh(home, 3, 11, 24, 24) == [DONE] * 4
    assert weights(home) == weights(whole_day)
    assert [row["learned"] for row in serving(home).ledger()] == [
        row["learned"] for row in serving(whole_day).ledger()
    ]


def test_a_refused_version_never_serves_and_the_next_run_learns_all_since(
    home: Home, whole_day: Home
) -> None:
    assert fresh(home, 6) == [DONE]
    before = weights(home)
    said = home.folder / "said.txt"
    alerts: dict[str, object] = {"command": ["tee", str(said)], "on_refusal": True}
    home.configure(model=MODEL, alerts=alerts, fresh={**FRESH, "against_before": 1000.0})
    assert fresh(home, 12) == [REFUSED]
    assert weights(home) == before
    assert versions(home) == ["000001"]
    assert "beside the version before: recall@20" in said.read_text()
    assert "refused: beside the version before" in page(status(home.settings()))
    home.configure(model=MODEL, fresh=FRESH)
    assert fresh(home, 18, 24) == [DONE, DONE]
    assert weights(home) == weights(whole_day)
    assert unbalanced(home.settings()) == []
    assert "refused: " not in page(status(home.settings()))


def test_weights_that_are_not_finite_are_refused_before_they_are_written(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = GRU4Rec.partial_fit

    def diverge(model: GRU4Rec, newer: pl.DataFrame, **how: object) -> GRU4Rec:
        learn(model, newer, **how)  # type: ignore[arg-type]
        model.network_.tables["output"][0] = float("nan")
        return model

    monkeypatch.setattr(GRU4Rec, "partial_fit", diverge)
    assert fresh(home, 6) == [REFUSED]
    assert "not finite" in json.loads((fresh_folder(home.settings()) / "refused.json").read_text())["why"]
    assert versions(home) == []


def test_coverage_latency_and_the_nightly_model_are_looked_at(home: Home) -> None:
    for change, said in (
        ({"min_coverage": 1.0}, "coverage: "),
        ({"max_latency_ms": 0.0}, "latency p99, ms: "),
        ({"against_nightly": 1000.0}, "beside the nightly model: recall@20"),
    ):
        home.configure(model=MODEL, fresh={**FRESH, **change})
        assert fresh(home, 6) == [REFUSED]
        note = json.loads((fresh_folder(home.settings()) / "refused.json").read_text())
        assert said in note["why"]


def test_junk_and_missing_files_stop_at_their_period_and_no_later_one_is_learned_before(
    home: Home, whole_day: Home
) -> None:
    good = landed(home, at(6))
    path = land_one(home, at(6), good.with_columns(item_id=pl.lit(None, pl.Int64)))
    assert fresh(home, 18) == [BAD_INPUT]
    assert [row["period"] for row in serving(home).ledger()] == [f"{DAY}T00"]
    assert (home.work / "quarantine" / f"{DAY}T06.parquet").exists()
    assert "are unusable" in page(status(home.settings()))
    path.unlink()
    assert fresh(home, 18) == [BAD_INPUT]
    assert "no clicks have landed" in page(status(home.settings()))
    land_one(home, at(6), good)
    assert fresh(home, 24) == [DONE]
    assert weights(home) == weights(whole_day)
    assert "no clicks have landed" not in page(status(home.settings()))


def test_a_period_without_clicks_is_a_quiet_one(home: Home) -> None:
    land_one(home, at(6), landed(home, at(6)).clear())
    assert fresh(home, 12, 18) == [DONE, DONE]
    assert [row["learned"] for row in serving(home).ledger()][1] == 0
    assert unbalanced(home.settings()) == []


def test_late_clicks_are_kept_by_the_store_counted_and_left_to_the_night(home: Home) -> None:
    first, second = landed(home, at(0)), landed(home, at(6))
    late = first.tail(9)
    land_one(home, at(0), first.head(first.height - 9))
    land_one(home, at(6), pl.concat([late, second]))
    assert fresh(home, 6, 12) == [DONE, DONE]
    rows = serving(home).ledger()
    assert [(row["late"], row["learned"]) for row in rows] == [(0, first.height - 9), (9, second.height)]
    assert unbalanced(home.settings()) == []
    version = crown(home.settings(), log().filter(pl.col("time") < at(0)), 0)  # as a night: it knows no more
    assert fresh(home, 12) == [DONE]
    rows = [row for row in serving(home).ledger() if row["base"] == version]
    assert [row["learned"] for row in rows] == [first.height, second.height]
    assert unbalanced(home.settings()) == []


def test_clicks_that_come_early_are_learned_with_their_own_period(home: Home, whole_day: Home) -> None:
    first, second = landed(home, at(0)), landed(home, at(6))
    land_one(home, at(0), pl.concat([first, second.head(20)]))
    land_one(home, at(6), second.tail(second.height - 20))
    assert fresh(home, 6, 24) == [DONE, DONE]
    assert weights(home) == weights(whole_day)
    assert unbalanced(home.settings()) == []


def test_ten_times_the_volume_is_learned(home: Home) -> None:
    clicks = landed(home, at(0))
    ids = clicks["session_id"].dtype
    many = [clicks.with_columns((pl.col("session_id") + 10_000 * number).cast(ids)) for number in range(10)]
    land_one(home, at(0), pl.concat(many))
    assert fresh(home, 6, 12) == [DONE, DONE]
    assert serving(home).ledger()[0]["learned"] == 10 * clicks.height


def test_a_new_champion_is_caught_up_before_it_takes_over(home: Home) -> None:
    assert fresh(home, 6, 12) == [DONE, DONE]
    before = serving(home)
    version = crown(home.settings(), log().filter(pl.col("time") < at(0)), 0)
    (home.folder / "landing" / f"{DAY}T12.parquet").rename(home.folder / "kept.parquet")
    assert fresh(home, 18) == [BAD_INPUT]  # but it has caught up with the version that serves
    after = serving(home)
    assert (after.number, after.base, after.until) == (before.number + 1, version, before.until)
    assert [(row["base"], row["period"]) for row in after.ledger()][2:] == [
        (version, f"{DAY}T00"), (version, f"{DAY}T06"),
    ]  # fmt: skip
    assert unbalanced(home.settings()) == []


def test_a_clock_that_jumps_a_second_job_and_no_champion_are_refused(home: Home) -> None:
    assert command("fresh", "--at", "2999-01-01T00:00", "--settings", str(home.file)) == BAD_INPUT
    assert command("fresh", "--at", "yesterday", "--settings", str(home.file)) == BAD_INPUT
    assert command("fresh", "--at", f"{DAY}T06:00", "--settings", str(home.file)) == DONE
    assert fresh(home, 3) == [DONE]  # nothing to do; but where the clock itself is set back
    with pytest.raises(BadInputError, match="06:00 have been learned: set the clock right"):
        catch_up(home.settings(), at(3), at(3), Memory())
    with locked(home.work, "a test"):
        assert fresh(home, 12) == [LOCKED]
    home.configure(model=MODEL, fresh=FRESH, tracking={"where": "mlruns", "model": "another"})
    assert fresh(home, 12) == [BAD_INPUT]
    assert "none serves yet" in page(status(home.settings()))
    assert serving(home).number == 1


def test_a_dry_run_changes_nothing(home: Home) -> None:
    before = home.digests()
    assert command("fresh", "--dry-run", "--at", f"{DAY}T18:00", "--settings", str(home.file)) == DONE
    assert home.digests() == before
    assert not fresh_folder(home.settings()).exists()


def test_the_days_file_may_grow_instead(home: Home, whole_day: Home) -> None:
    home.configure(model=MODEL, fresh={**FRESH, "path": "landing/{day}.parquet", "lists": True})
    day = log().filter(pl.col("time").dt.date() == DAY)
    for hour in HOURS:
        home.land(DAY, day.filter(pl.col("time") < at(hour) + timedelta(minutes=5)))
        assert fresh(home, hour) == [DONE]
    assert weights(home) == weights(whole_day)
    lists = pl.read_parquet(serving(home).folder / "lists" / "items.parquet")
    assert set(lists["item_id"]) == set(load(serving(home).model).vocabulary_.ids)
    assert registry_of(home.settings()).version_of("champion") == 1


def test_the_night_compares_with_the_fresh_version_as_it_was_in_the_morning(
    whole_day: Home, tmp_path: Path
) -> None:
    home = copied(whole_day, tmp_path / "home")
    home.configure(model=MODEL, fresh=FRESH)
    day, clicks = DAY + timedelta(days=1), log()
    for one in (DAY, day):
        home.land(one, clicks.filter(pl.col("time").dt.date() == one))
    ingest(DAY, home.settings())
    assert home.run(day) in (DONE, REFUSED)
    said = {check["name"]: check["said"] for check in home.decision(day)["checks"]}
    assert f"of fresh version 4 from version 1, learned until {day} 00:00, " in said["against the champion"]
    assert home.decision(day)["rival"] == 1


@pytest.mark.parametrize("every", ["7min", "5h", "2d", "0h", "1 h", "90min", ""])
def test_a_period_divides_a_day(home: Home, every: str) -> None:
    with pytest.raises(BadInputError, match=r"expected fresh\.every as minutes"):
        home.configure(fresh={"every": every})


def test_the_path_says_which_period(home: Home) -> None:
    with pytest.raises(BadInputError, match=r"expected \{period\} or \{day\} in fresh\.path"):
        home.configure(fresh={"path": "landing/clicks.parquet"})


def test_a_blend_learns_between_the_nights_and_its_network_is_watched(home: Home) -> None:
    settings = home.settings()
    values = {name: value for name, value in settings.model.items() if name != "class"}
    older = log().filter(pl.col("time") < at(0))
    blend = Blend([GRU4Rec(**values), Markov(), Popularity()]).fit(older)
    registry = registry_of(settings)
    registry.promote(registry.register(blend, tags={"day": DAY.isoformat()}), "crowned by a test")
    assert fresh(home, 6, 12) == [DONE, DONE]
    served = load(serving(home).model)
    assert isinstance(served, Blend)
    learned = pl.concat([older, log().filter(pl.col("time").is_between(at(0), at(12), closed="left"))])
    assert served.vocabulary_.support.sum() == learned.height
    table = served.members_[0].network_.tables["output"]  # type: ignore[attr-defined]
    for number, fine in (
        (table[3, 0].item(), True),
        (3e38, True),
        (float("nan"), False),
        (float("-inf"), False),
    ):
        table[3:6, 0] = number  # three of 3e38 are too large a sum
        assert is_finite(served) is fine
