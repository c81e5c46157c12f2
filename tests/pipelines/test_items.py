"""An items file in the nights: learned from, told of, gone on from, and refused in words."""

from datetime import UTC, datetime, time, timedelta

import polars as pl
import pytest

from pipelines.fresh.job import run_fresh
from pipelines.plumbing.errors import BAD_INPUT, DONE
from pipelines.plumbing.versions import current
from pipelines.stages.champion import registry_of, serving
from recsys_gru import GRU4Rec, load
from tests.pipelines.hours import FRESH
from tests.pipelines.nights import DAY, Home, command
from tests.pipelines.test_settings_at_the_start import write

NEXT = DAY + timedelta(days=1)


def told(home: Home, *items: int, columns: tuple[str, ...] = ("kind", "caption")) -> None:
    """An items file: the known items, and these."""
    log = pl.read_parquet(home.folder / "landing" / "*.parquet", hive_partitioning=False)
    ids = pl.concat([log["item_id"].unique().sort(), pl.Series(items, dtype=pl.Int64)])
    facts = {"kind": (ids % 3).cast(pl.String), "caption": "Lamp " + ids.cast(pl.String)}
    frame = pl.DataFrame({"item_id": ids, **{name: facts[name] for name in columns}})
    frame.write_csv(home.folder / "items.csv")


def champion(home: Home) -> GRU4Rec:
    version = serving(home.settings())
    assert version is not None
    found = registry_of(home.settings()).load(version)
    assert isinstance(found, GRU4Rec)
    return found


def require_told(model: GRU4Rec, item: int) -> None:
    """A model recommends an item that nobody has clicked, and knows its name."""
    shown = model.recommend_one(model.vocabulary_.ids.to_list()[:1], k=len(model.vocabulary_))
    assert shown.filter(item_id=item)["source"].to_list() == ["facts"]
    assert model.vocabulary_.names_of([item]) == {item: f"Lamp {item}"}


def test_nights_learn_facts_and_tell_the_champion_of_new_items(ready: Home) -> None:
    items: dict[str, object] = {"path": "items.csv", "name": "caption", "kinds": {"caption": "words"}}
    fresh = FRESH | {"every": "1d", "path": "landing/{day}.parquet"}
    ready.configure(items=items, train={"mode": "warm", "warm_epochs": 1}, fresh=fresh)
    told(ready, 9_001)
    assert ready.run() == DONE
    require_told(champion(ready), 9_001)
    told(ready, 9_002)
    assert ready.run(NEXT) == DONE
    warm = champion(ready)
    assert warm.encoding_ is not None
    assert warm.encoding_.kinds == {"kind": "number", "caption": "words"}
    require_told(warm, 9_002)
    assert 9_001 in warm.vocabulary_.ids

    end = datetime.combine(NEXT + timedelta(days=1), time(), UTC)
    assert run_fresh(ready.settings(), end) == DONE
    version = current(ready.settings())
    assert version is not None
    assert version.until == end
    learned = load(version.model)
    assert isinstance(learned, GRU4Rec)
    assert learned.vocabulary_.support.sum() > warm.vocabulary_.support.sum()
    require_told(learned, 9_002)

    told(ready, columns=("kind",))
    assert ready.run(NEXT + timedelta(days=1)) == BAD_INPUT
    assert "missing or unknown: caption" in ready.failure(NEXT + timedelta(days=1))["why"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("kinds", "a", "expected items.kinds as dict"),
        ("name", "title", "items.name and items.kinds tell of a file"),
        ("path", " ", "expected items.path as a path"),
        ("file", "x", "unknown settings ['file'] in [items]"),
    ],
)
def test_items_that_cannot_be_are_refused_at_the_start(
    home: Home, key: str, value: object, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, "items", key, value)
    assert command("nightly", "--day", str(DAY), "--settings", str(home.file)) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_blend_a_kind_that_is_none_and_a_file_that_is_not_there_are_refused(
    ready: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("nightly", "--day", str(DAY), "--settings", str(ready.file))
    ready.configure(["model"], items={"path": "items.csv"})
    assert command(*run) == BAD_INPUT
    assert "Blend learns from clicks alone" in capsys.readouterr().err
    ready.file.write_text('[items]\npath = "items.csv"\nkinds = {size = "big"}\n')
    assert command(*run) == BAD_INPUT
    assert "expected items.kinds of label" in capsys.readouterr().err
    ready.configure(items={"path": "{day}.csv"})
    assert command(*run) == BAD_INPUT
    assert f"{DAY}.csv, there is no such file" in capsys.readouterr().err
