"""The page that describes a log."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_gru.clicks import check_clicks, generate_clicks, read_clicks
from recsys_gru.errors import ClickLogError, InputError
from recsys_gru.exploration import describe, profile_clicks


def visits() -> pl.DataFrame:
    """Users who come back after days; within a visit they click every minute or so."""
    rng = np.random.default_rng(1)
    visit = np.repeat(np.arange(3_000), 5)
    inside = np.tile(np.arange(5), 3_000) * rng.lognormal(np.log(60), 0.5, 15_000)
    seconds = (visit % 20) * 86_400 * rng.lognormal(0, 0.1, 3_000)[visit] + inside
    return pl.DataFrame({"user_id": visit // 20, "item_id": rng.integers(0, 50, 15_000), "time": seconds})


def test_the_figures_are_those_of_a_hand_count() -> None:
    log = pl.DataFrame(
        {
            "session_id": [1, 1, 1, 2, 2, None],
            "item_id": [7, 7, 8, 7, 9, 9],
            "time": [0, 60, 90, 86_400, 86_400, 5],
        }
    )
    found = profile_clicks(log)
    assert (found.sessions, found.items, found.counts["rejected"]) == (2, 3, 1)
    assert found.per_day["sessions"].to_list() == [1, 1]
    assert found.lengths.rows() == [(2, 1), (3, 1)]
    assert found.popularity.tolist() == [3, 1, 1]
    assert found.repeat_rate == 1 / 3
    assert found.collision_rate == 2 / 5
    assert found.per_hour.tolist() == [5] + [0] * 23
    assert found.pauses["n"].sum() == 2


def test_days_without_sessions_are_shown_as_zero() -> None:
    log = pl.DataFrame({"session_id": [1, 2], "item_id": [7, 7], "time": [0, 3 * 86_400]})
    assert profile_clicks(log).per_day["sessions"].to_list() == [1, 0, 0, 1]


def test_a_gap_is_suggested_between_the_pauses_within_and_between_visits() -> None:
    found = profile_clicks(read_clicks(visits(), user="user_id"))
    assert found.cut_at == timedelta(minutes=30)
    assert found.gap is not None
    assert timedelta(minutes=5) <= found.gap <= timedelta(hours=12)
    assert abs(found.sessions - 3_000) < 150


def test_users_are_cut_at_the_gap_that_is_asked_for_and_the_page_says_so(tmp_path: Path) -> None:
    log = read_clicks(visits(), user="user_id")
    assert profile_clicks(log, timedelta(days=10_000)).sessions == 150
    describe(log, tmp_path, gap=timedelta(minutes=45))
    assert "<b>45 min</b><small>of silence end a session here" in (tmp_path / "log.html").read_text()


@pytest.mark.parametrize("owner", ["session_id", "user_id"])
def test_a_log_looked_at_part_by_part_gives_the_same_figures(owner: str) -> None:
    log = visits().rename({"user_id": owner})
    dirty = pl.concat([log, log.head(50), log.tail(50).with_columns(item_id=pl.lit(None, dtype=pl.Int64))])
    raw = read_clicks(dirty, user="user_id" if owner == "user_id" else None)
    whole, parts = profile_clicks(raw), profile_clicks(raw, rows_per_part=1_000)
    assert whole.counts == parts.counts == check_clicks(raw).counts
    for name in vars(whole):
        one, other = getattr(whole, name), getattr(parts, name)
        assert one.equals(other) if isinstance(one, pl.DataFrame) else np.array_equal(one, other), name


def test_a_log_of_sessions_gets_no_suggestion() -> None:
    assert profile_clicks(generate_clicks(2_000, 50, days=5, seed=1)).gap is None


def test_the_page_stands_alone_and_escapes_its_title(tmp_path: Path) -> None:
    log = generate_clicks(300, 50, days=5, seed=1)
    describe(log, tmp_path / "page", title="<script>shop</script>")
    text = (tmp_path / "page" / "log.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;shop" in text
    assert "<script>" not in text
    assert "http" not in text
    assert f"<span>rows read</span><b>{log.height:,}</b>" in text
    assert (tmp_path / "page" / "log.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_says_when_times_are_no_clock_and_suggests_no_gap_for_sessions(tmp_path: Path) -> None:
    log = pl.DataFrame({"session_id": [1, 1], "item_id": [7, 8], "time": [1, 2]})
    describe(log, tmp_path)
    text = (tmp_path / "log.html").read_text()
    assert "look like ordinal numbers" in text
    assert "suggested gap" not in text
    describe(generate_clicks(300, 50, days=5, seed=1), tmp_path)
    assert "ordinal" not in (tmp_path / "log.html").read_text()


def test_rejected_rows_stand_on_the_page_with_their_reason(tmp_path: Path) -> None:
    describe(pl.DataFrame({"session_id": [1, None], "item_id": [7, 7], "time": [0, 5]}), tmp_path)
    assert (
        '<td class="w">null session_id</td><td class="n">1</td><td class="n">50.00%</td>'
        in (tmp_path / "log.html").read_text()
    )


def test_a_log_without_a_usable_row_and_a_folder_that_is_a_file_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ClickLogError, match="every row broke a rule"):
        profile_clicks(pl.DataFrame({"session_id": [1], "item_id": [7], "time": ["soon"]}))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        describe(generate_clicks(30, 5, days=2, seed=1), tmp_path / "file")
