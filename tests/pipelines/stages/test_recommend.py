"""Lists for items, for the day's own sessions, and for sessions of a file."""

import polars as pl

from pipelines.plumbing.errors import BAD_INPUT, DONE
from tests.pipelines.nights import DAY, Home


def ask(home: Home, other: str) -> None:
    """Deliver two open sessions, one on an item of the log and one on another."""
    item = pl.read_parquet(home.settings().input.file(DAY))["item_id"][0]
    (home.folder / "open").mkdir(exist_ok=True)
    (home.folder / "open" / f"{DAY}.csv").write_text(
        f"session_id,item_id,time\n7,{item},2026-01-04T10:00:00\n9,{other},2026-01-04T11:00:00\n"
    )


def test_lists_for_the_days_own_sessions(ready: Home) -> None:
    ready.configure(recommend={"what": ["items", "sessions"], "k": 3})
    assert ready.run() == DONE
    found = ready.lists("sessions")
    assert found.columns == ["session_id", "rank", "item_id", "score", "source", "day", "model_version"]
    (test,) = (ready.work / "days" / str(DAY)).glob("sessions-*/test.parquet")
    asked = pl.read_parquet(test)
    assert set(found["session_id"]) == set(asked["session_id"])
    assert found["rank"].max() == 3
    assert found.join(asked, on=["session_id", "item_id"], how="semi").is_empty()  # seen items are left out
    assert set(ready.lists("items")["model_version"]) == set(found["model_version"]) == {1}


def test_lists_for_sessions_of_a_file(ready: Home) -> None:
    ready.configure(recommend={"what": ["sessions"], "k": 2, "sessions": "open/{day}.csv"})
    assert ready.run() == BAD_INPUT
    assert "expected the sessions to recommend for in" in ready.failure()["why"]
    ask(ready, "no such item")  # among items that are numbers: unknown to the model, as 999999 is
    assert ready.run() == DONE
    found = ready.lists("sessions")
    assert found.group_by("session_id").len().sort("session_id")["len"].to_list() == [2, 2]
    assert found.filter(pl.col("session_id") == 9)["source"].unique().to_list() == ["popularity"]
