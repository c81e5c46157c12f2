"""Preparing in buckets on disk gives what preparing in memory gives."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recsys_gru as rg
from recsys_gru.clicks import (
    Ledger,
    Recipe,
    check_clicks,
    collapse_repeats,
    generate_clicks,
    read_clicks,
    sessionize,
)
from recsys_gru.errors import ClickLogError, InputError, ParameterError
from recsys_gru.preparation import Prepared, prepare, read_prepared
from recsys_gru.sessions import (
    Sessions,
    filter_sessions,
    read_sessions,
    split_by_time,
    tail_cut,
    write_sessions,
)

CELLS = st.one_of(st.integers(0, 5).map(str), st.sampled_from(["", "nan", "x"]))
TIMES = st.one_of(st.integers(0, 90).map(str), st.sampled_from(["", "soon", "nan"]))


def in_memory(clicks: pl.LazyFrame, recipe: Recipe) -> tuple[Sessions, Sessions]:
    events = check_clicks(clicks).clicks
    if recipe.collapse:
        events = collapse_repeats(events)
    assert recipe.test is not None
    split = split_by_time(events, recipe.test)
    train = Sessions.from_events(filter_sessions(split.train, recipe.min_support, recipe.min_length))
    return train, Sessions.from_events(split.test, train.vocabulary)


def quarantined(prepared: Prepared) -> pl.DataFrame:
    files = sorted((prepared.folder / "quarantine").glob("*.parquet"))
    return pl.concat([pl.read_parquet(file).select("reason") for file in files]) if files else pl.DataFrame()


@pytest.mark.kernels
@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, TIMES), min_size=1, max_size=40),
    support=st.integers(1, 3),
    length=st.integers(1, 3),
    collapse=st.booleans(),
    bucket=st.integers(1, 50),
)
def test_buckets_change_nothing_and_every_row_is_kept_or_quarantined(
    rows: list[tuple[str, str, str]], support: int, length: int, collapse: bool, bucket: int
) -> None:
    frame = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    clicks = read_clicks(frame)
    recipe = Recipe(min_support=support, min_length=length, collapse=collapse, test=timedelta(seconds=20))
    with tempfile.TemporaryDirectory() as folder:
        try:
            prepared = prepare(clicks, Path(folder) / "log", recipe, rows_per_bucket=bucket)
        except ClickLogError:
            return
        train, test = in_memory(clicks, recipe)
        assert prepared.train.fingerprint() == train.fingerprint()
        assert prepared.test.fingerprint() == test.fingerprint()
        counts = prepared.counts
        assert counts["read"] == len(rows) == counts["train"] + counts["test"] + counts["rejected"]
        assert quarantined(prepared).height == counts["rejected"]
        table = prepared.ledger.table()
        assert table["rows_removed"].sum() == counts["rejected"]


def test_a_log_of_users_gets_sessions_in_order_of_time(tmp_path: Path) -> None:
    log = generate_clicks(400, 60, days=5, seed=2).rename({"session_id": "user_id"})
    log = log.with_columns(pl.col("user_id") % 50)
    clicks = read_clicks(log, user="user_id")
    recipe = Recipe(test=timedelta(days=1), min_support=2)
    prepared = prepare(clicks, tmp_path / "log", recipe, rows_per_bucket=300)
    train, test = in_memory_users(clicks)
    assert prepared.train.ids.to_list() == list(range(train.n_sessions))
    assert prepared.test.ids[0] == train.n_sessions
    for ours, theirs in ((prepared.train, train), (prepared.test, test)):
        assert np.array_equal(ours.lengths, theirs.lengths)
        assert np.array_equal(ours.times, theirs.times)


def in_memory_users(clicks: pl.LazyFrame) -> tuple[Sessions, Sessions]:
    split = split_by_time(sessionize(check_clicks(clicks).clicks), timedelta(days=1))
    train = Sessions.from_events(filter_sessions(split.train, min_support=2))
    return train, Sessions.from_events(split.test, train.vocabulary)


def test_robots_and_rows_outside_the_window_are_set_aside_by_name(tmp_path: Path) -> None:
    log = generate_clicks(300, 30, days=10, seed=1)
    recipe = Recipe(max_length=8, window=timedelta(days=3), test=timedelta(days=1), min_support=1)
    prepared = prepare(log, tmp_path / "log", recipe)
    rules = prepared.ledger.table()["rule"].to_list()
    assert "session too long for a person" in rules
    assert "outside the window" in rules
    assert max(prepared.train.lengths.max(), prepared.test.lengths.max()) <= 8
    assert prepared.train.times.min() >= (prepared.cut - timedelta(days=3)).timestamp() * 1e6


def test_the_default_cut_is_that_of_tail_cut(tmp_path: Path) -> None:
    log = generate_clicks(300, 30, days=10, seed=1)
    assert prepare(log, tmp_path / "log").cut == tail_cut(log)


def test_strange_ids_go_through_as_they_came(tmp_path: Path) -> None:
    strange = ['say "hi"', "a b, c", "😀 naïve", "x" * 1_000, " lead", "line\nbreak", "'", "null?"]
    rows = [(owner, item, 10 * n + k) for n, owner in enumerate(strange) for k, item in enumerate(strange)]
    frame = pl.DataFrame(rows, schema=["session_id", "item_id", "time"], orient="row")
    frame.write_csv(tmp_path / "log.csv")
    recipe = Recipe(test=timedelta(seconds=7), min_support=1)
    prepared = prepare(read_clicks(tmp_path / "log.csv"), tmp_path / "out", recipe, rows_per_bucket=20)
    plain = [text.strip() for text in strange]
    assert prepared.train.vocabulary.ids.to_list() == plain
    assert prepared.train.ids.to_list() + prepared.test.ids.to_list() == plain
    assert prepared.counts["read"] == len(rows) == prepared.counts["train"] + prepared.counts["test"]


def test_a_clock_that_jumps_years_ahead_does_not_move_the_cut(tmp_path: Path) -> None:
    log = generate_clicks(300, 30, days=10, seed=1)
    jumped = log.with_columns(
        pl.when(pl.int_range(pl.len()) < 5)
        .then(pl.col("time").dt.offset_by("9y"))
        .otherwise("time")
        .alias("time")
    )
    prepared = prepare(jumped, tmp_path / "log", Recipe(test=timedelta(days=1)))
    assert prepared.cut == prepare(log, tmp_path / "plain", Recipe(test=timedelta(days=1))).cut
    assert prepared.ledger.removed("time far outside the log") == 5


def test_sessions_are_mapped_into_memory_and_read_back_as_they_were(tmp_path: Path) -> None:
    prepared = prepare(generate_clicks(300, 30, days=10, seed=1), tmp_path / "log")
    assert isinstance(prepared.train.items, np.memmap)
    assert read_prepared(tmp_path / "log").train.fingerprint() == prepared.train.fingerprint()
    write_sessions(prepared.train, tmp_path / "copy")
    assert read_sessions(tmp_path / "copy").fingerprint() == prepared.train.fingerprint()


def test_preparing_again_replaces_the_folder_but_never_a_strange_one(tmp_path: Path) -> None:
    log = generate_clicks(300, 30, days=10, seed=1)
    prepare(log, tmp_path / "log")
    again = prepare(log, tmp_path / "log", Recipe(min_support=1))
    assert again.counts["train"] > 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="other files"):
        prepare(log, tmp_path / "mine")


def test_a_failure_leaves_no_half_result(tmp_path: Path) -> None:
    log = generate_clicks(30, 30, days=2, seed=1)
    with pytest.raises(ClickLogError, match="lower min_support"):
        prepare(log, tmp_path / "log", Recipe(min_support=1_000))
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_for_every_stage(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    prepare(
        generate_clicks(300, 30, days=5, seed=1),
        tmp_path / "log",
        rows_per_bucket=500,
        on_progress=lambda *step: told.append(step),
    )
    assert list(dict.fromkeys(step[0] for step in told)) == [
        "deal",
        "check",
        "fixed point",
        "filter",
        "pack train",
        "pack test",
    ]
    assert all(done <= total for _, done, total in told)


def test_a_damaged_folder_is_a_clear_error(tmp_path: Path) -> None:
    prepared = prepare(generate_clicks(300, 30, days=5, seed=1), tmp_path / "log")
    (prepared.folder / "train" / "items.npy").write_bytes(b"no array")
    with pytest.raises(ClickLogError, match="prepare them again"):
        read_prepared(prepared.folder)
    with pytest.raises(ClickLogError, match="prepare it again"):
        read_prepared(tmp_path / "nowhere")


def test_impossible_recipes_are_refused() -> None:
    with pytest.raises(ParameterError, match="gap as a timedelta longer"):
        Recipe(gap=timedelta(0))
    with pytest.raises(ParameterError, match=r"max_length as a whole number of at least 1 .*got 0"):
        Recipe(max_length=0)


def test_a_log_of_bad_rows_only_is_a_clear_error(tmp_path: Path) -> None:
    log = pl.DataFrame({"session_id": [1], "item_id": [1], "time": ["soon"]})
    with pytest.raises(ClickLogError, match="every row broke a rule"):
        prepare(read_clicks(log), tmp_path / "log")


def test_arrays_that_do_not_fit_together_are_a_clear_error(tmp_path: Path) -> None:
    prepared = prepare(generate_clicks(300, 30, days=5, seed=1), tmp_path / "log")
    np.save(prepared.folder / "train" / "times.npy", np.zeros(3, dtype=np.int64))
    with pytest.raises(ClickLogError, match="do not fit together"):
        read_prepared(prepared.folder)


def test_the_order_of_the_rows_never_matters(tmp_path: Path) -> None:
    log = generate_clicks(300, 30, days=5, seed=1)
    one = prepare(log, tmp_path / "one")
    other = prepare(log.sample(fraction=1, shuffle=True, seed=1), tmp_path / "other", rows_per_bucket=100)
    assert one.train.fingerprint() == other.train.fingerprint()
    assert one.test.fingerprint() == other.test.fingerprint()
    assert one.ledger.table().equals(other.ledger.table())


@pytest.mark.parametrize("owner", ["session_id", "user_id"])
@pytest.mark.parametrize("text", [False, True])
def test_shuffled_rows_give_the_same_bytes_in_every_file(tmp_path: Path, owner: str, text: bool) -> None:
    log = generate_clicks(300, 30, days=5, seed=1, text_ids=text)
    log = pl.concat(
        [log, log.head(40), log.tail(9).with_columns(pl.lit(None, log["item_id"].dtype).alias("item_id"))]
    )
    log = log.rename({"session_id": owner})
    user = "user_id" if owner == "user_id" else None
    for name, seed in (("one", 1), ("other", 2)):
        mixed = log.sample(fraction=1, shuffle=True, seed=seed)
        recipe = Recipe(collapse=True, max_length=20)
        prepare(read_clicks(mixed, user=user), tmp_path / name, recipe, rows_per_bucket=500)
    one, other = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "other")
    )
    assert len(one) > 15
    assert one == other


@pytest.mark.parametrize("way", [check_clicks, lambda clicks: prepare(clicks, "never")])
def test_a_file_that_is_damaged_inside_is_a_clear_error(
    tmp_path: Path, way: Callable[[pl.LazyFrame], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "log.parquet"
    generate_clicks(3_000, 300, days=5, seed=1).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[2_000:6_000] = bytes(4_000)
    path.write_bytes(content)
    with pytest.raises(ClickLogError, match="cannot be read to its end"):
        way(read_clicks(path))
    assert [file.name for file in tmp_path.iterdir()] == ["log.parquet"]


def test_mapped_arrays_can_be_written_without_touching_the_files(tmp_path: Path) -> None:
    prepared = prepare(generate_clicks(300, 30, days=5, seed=1), tmp_path / "log")
    before = prepared.train.fingerprint()
    prepared.train.items[:] = 0
    assert read_sessions(prepared.folder / "train").fingerprint() == before


def test_preparing_needs_no_deep_learning_and_draws_nothing() -> None:
    heavy = "{'torch', 'matplotlib', 'mlflow', 'pandas'}"
    code = f"import sys, recsys_gru.clicks; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def prepared_log(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared") / "log"
    return prepare(generate_clicks(300, 30, days=5, seed=1), folder, Recipe(test=timedelta(days=1)))


def test_a_prepared_folder_is_given_to_models_and_evaluations(prepared_log: Prepared) -> None:
    model = rg.Markov().fit(prepared_log.folder)
    assert model.fingerprint_ == prepared_log.train.fingerprint()
    found = rg.evaluate(model, str(prepared_log.folder))
    assert found.to_dict() == rg.evaluate(model, prepared_log.test).to_dict()
    assert rg.as_sessions(prepared_log.folder / "test").fingerprint() == prepared_log.test.fingerprint()
    with pytest.raises(ClickLogError, match="prepared log"):
        read_clicks(prepared_log.folder)


def test_the_ledger_adds_up_with_the_test_part_as_a_line_of_its_own(prepared_log: Prepared) -> None:
    both, train = prepared_log.test_part()
    assert (both.rows, train.rows) == (
        prepared_log.counts["train"] + prepared_log.counts["test"],
        prepared_log.counts["train"],
    )
    ledger, log = Ledger(), generate_clicks(300, 30, days=5, seed=1)
    split = split_by_time(check_clicks(log, ledger).clicks.collect(), timedelta(days=1), ledger)
    kept = filter_sessions(split.train, 5, 2, ledger)
    table = ledger.table()
    assert "test part" in table["rule"]
    assert table["rows_after"].to_list()[:-1] == table["rows_before"].to_list()[1:]
    assert table["rows_after"][-1] == kept.lazy().collect().height


KILLED = """
import os, sys, shutil
from datetime import timedelta
from pathlib import Path
import recsys_gru as rg
steps = int(sys.argv[2])
def hook(event, arguments):
    global steps
    if event in ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree") and "log" in str(arguments[0]):
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), 9)
sys.addaudithook(hook)
recipe = rg.Recipe(min_support=1, test=timedelta(days=1))
rg.prepare(rg.generate_clicks(60, 20, days=4, seed=1), sys.argv[1], recipe)
"""


@pytest.mark.parametrize("step", [1, 2, 3, 5, 9])
def test_killed_while_it_replaces_an_older_result_there_is_the_old_or_the_new_one(
    tmp_path: Path, step: int
) -> None:
    old = prepare(generate_clicks(60, 20, days=4, seed=2), tmp_path / "log", Recipe(min_support=1))
    prints = old.train.fingerprint()
    killed = [sys.executable, "-c", KILLED, str(tmp_path / "log"), str(step)]
    assert subprocess.run(killed, capture_output=True, check=False).returncode in (-9, 0)
    found = read_prepared(tmp_path / "log").train.fingerprint()
    recipe = Recipe(min_support=1, test=timedelta(days=1))
    prepare(generate_clicks(60, 20, days=4, seed=1), tmp_path / "log", recipe)
    new = read_prepared(tmp_path / "log").train.fingerprint()
    assert found in (prints, new)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_names_with_brackets_and_stars_are_names(tmp_path: Path) -> None:
    log = generate_clicks(100, 20, days=4, seed=1)
    recipe = Recipe(min_support=1, test=timedelta(days=1))
    (tmp_path / "log1").mkdir()
    plain = prepare(log, tmp_path / "log1" / "a", recipe, rows_per_bucket=100)
    odd = prepare(log, tmp_path / "log[12]" / "a*?", recipe, rows_per_bucket=100)
    assert odd.train.fingerprint() == plain.train.fingerprint()
    assert odd.ledger.table().equals(plain.ledger.table())


def test_every_changed_bit_is_noticed_where_asked_for_and_none_reaches_a_loop(
    prepared_log: Prepared, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    copy = tmp_path / "log"
    shutil.copytree(prepared_log.folder, copy)
    assert read_prepared(copy, verify=True).train.fingerprint() == prepared_log.train.fingerprint()
    files = [path for path in copy.rglob("*") if path.is_file() and "quarantine" not in path.parts]
    for path in files:
        whole = path.read_bytes()
        for place in {*range(0, min(len(whole), 160), 7), *random.integers(0, len(whole), 12).tolist()}:
            broken = bytearray(whole)
            broken[place] ^= 1 << int(random.integers(8))
            path.write_bytes(broken)
            with pytest.raises(ClickLogError):
                read_prepared(copy, verify=True)
            with contextlib.suppress(ClickLogError):
                require_whole(read_prepared(copy))
        path.write_bytes(whole)


def require_whole(prepared: Prepared) -> None:
    """Everything that a compiled loop takes for granted."""
    for part in (prepared.train, prepared.test):
        assert part.offsets[0] == 0
        assert (np.diff(part.offsets) >= 0).all()
        assert part.offsets[-1] == len(part.items) == len(part.times)
        assert part.n_events == 0 or 0 <= part.items.min() <= part.items.max() < len(part.vocabulary)
        assert part.events().height == part.n_events + part.unknown.height


@pytest.mark.parametrize("name", ["items", "offsets", "times"])
@pytest.mark.parametrize("kind", [np.int16, np.float64, ">i4", np.uint64])
def test_arrays_of_another_type_are_refused(
    prepared_log: Prepared, tmp_path: Path, name: str, kind: str
) -> None:
    shutil.copytree(prepared_log.folder, tmp_path / "log")
    path = tmp_path / "log" / "train" / f"{name}.npy"
    np.save(path, np.load(path).astype(kind))
    with pytest.raises(ClickLogError, match="other numbers"):
        read_prepared(tmp_path / "log")


@pytest.mark.parametrize("name", ["prepared.json", "ledger.parquet", "train/items.npy", "test/ids.parquet"])
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_what_is_no_file_of_a_prepared_log_is_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    prepare(generate_clicks(200, 30, days=4, seed=1), tmp_path / "log")
    place = tmp_path / "log" / name
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    else:
        with place.open("wb") as file:
            file.truncate(1 << 30)
    with pytest.raises(ClickLogError, match=r"prepare .* again"):
        read_prepared(tmp_path / "log")
