"""A project whose champion is a tiny model of three days, and whose fourth day lands hour by hour."""

import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import polars as pl

from pipelines.fresh.job import run_fresh
from pipelines.plumbing.settings import Settings
from pipelines.plumbing.versions import Version, current
from pipelines.stages.champion import registry_of
from recsys_gru import GRU4Rec, generate_clicks
from recsys_gru.tracking.delivery import connect, store_at
from tests.pipelines.nights import DAY, FIRST, Home

DAYS = 5
HOURS = (6, 12, 18, 24)
"""The ends of the periods of a day."""
FRESH: dict[str, object] = {
    "every": "6h", "path": "landing/{period}.parquet", "min_events": 10, "periods": 3, "keep": 2,
    "max_latency_ms": 60_000.0, "latency_requests": 2, "min_coverage": 0.0, "against_nightly": 0.5,
    "against_before": 0.5,
    "register": False,  # seconds a day; the tests of the alias, and of kills, do
}  # fmt: skip
MODEL: dict[str, object] = {
    "class": "GRU4Rec", "layers": [8], "batch_size": 16, "n_sample": 16, "n_epochs": 1, "logq": 1.0,
    "learning_rate": 0.1, "seed": 1, "device": "cpu",
}  # fmt: skip


def at(hour: int, day: int = 0) -> datetime:
    """A moment of the fourth day, or of one after it."""
    return datetime.combine(DAY, time(), UTC) + timedelta(days=day, hours=hour)


def log() -> pl.DataFrame:
    """The made-up clicks of all days; sessions go on past the ends of periods."""
    return generate_clicks(n_sessions=150 * DAYS, n_items=60, days=DAYS, seed=3)


def prepared(place: Path, template: Path, *, rare: int = 0, **fresh: object) -> Home:
    """The project, its champion in use.

    Args:
        rare: so many items that the champion has seen once each, in its first hour.
        fresh: settings of [fresh] that are not as usual here.
    """
    home = Home(place)
    shutil.copytree(template, home.mlruns)
    settings = home.configure(model=MODEL, fresh={**FRESH, **fresh})
    clicks = log()
    for step in range((DAY - FIRST).days):
        home.land(
            FIRST + timedelta(days=step),
            clicks.filter(pl.col("time").dt.date() == FIRST + timedelta(days=step)),
        )
    home.take_in_before()
    crown(settings, pl.concat([once_each(rare), clicks.filter(pl.col("time") < at(0))]), 0)
    land(home, clicks.filter(pl.col("time") >= at(0)))
    return home


def once_each(items: int) -> pl.DataFrame:
    """Sessions of two clicks on items that no other click is on."""
    number = pl.int_range(items, dtype=pl.Int64)
    moment = datetime.combine(FIRST, time(), UTC) + pl.duration(seconds=number)
    rows = pl.select(session_id=-1 - number // 2, item_id=-1 - number, time=moment)
    return rows.cast(log().schema)


def crown(settings: Settings, clicks: pl.DataFrame, day: int) -> int:
    """Register a champion that has learned until a midnight."""
    values = {name: value for name, value in settings.model.items() if name != "class"}
    model = GRU4Rec(**values).fit(clicks)
    registry = registry_of(settings)
    version = registry.register(model, tags={"day": at(0, day).date().isoformat()})
    registry.promote(version, "crowned by a test")
    return version


def land(home: Home, clicks: pl.DataFrame, hours: int = 6) -> None:
    """Deliver clicks in a file for each period."""
    for (start,), part in clicks.group_by(pl.col("time").dt.truncate(f"{hours}h"), maintain_order=True):
        assert isinstance(start, datetime)
        land_one(home, start, part)


def land_one(home: Home, start: datetime, clicks: pl.DataFrame) -> Path:
    """Deliver a period's clicks."""
    path = home.folder / "landing" / f"{start:%Y-%m-%dT%H}.parquet"
    clicks.write_parquet(path)
    return path


def landed(home: Home, start: datetime) -> pl.DataFrame:
    """What was delivered."""
    return pl.read_parquet(home.folder / "landing" / f"{start:%Y-%m-%dT%H}.parquet", hive_partitioning=False)


def copied(home: Home, place: Path) -> Home:
    """The project in the same state."""
    return home.copied_to(place)


def fresh(home: Home, *hours: int) -> list[int]:
    """The exit codes of runs at some hours."""
    return [run_fresh(home.settings(), at(hour)) for hour in hours]


def serving(home: Home) -> Version:
    """The version that serves."""
    version = current(home.settings())
    assert version is not None
    return version


def registered(home: Home) -> dict[int, str]:
    """The registry's versions that are fresh ones, with the number of theirs."""
    client = connect(store_at(home.mlruns))
    found = client.search_model_versions("name = 'gru4rec' and tags.role = 'fresh'")
    return {int(one.version): one.tags["fresh.version"] for one in found}


def weights(home: Home) -> dict[str, bytes]:
    """The bytes of the serving model's weights."""
    return {path.name: path.read_bytes() for path in sorted(serving(home).model.rglob("*.safetensors"))}
