"""Ledgers, answers and studies made by workers: those of one process."""

import shutil
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import ParameterError
from recsys_gru.tracking.delivery import PROCESS
from recsys_gru.tracking.tuning import Search, open_study, search

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture(scope="module")
def parts() -> tuple[pl.DataFrame, pl.DataFrame]:
    """A training part, and a test part in which one item in ten is unknown."""
    log = rg.generate_clicks(500, 60, days=8, seed=3, text_ids=True)
    split = rg.split_by_time(log, test=timedelta(days=2))
    train, test = split.train.lazy().collect(), split.test.lazy().collect()
    odd = pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("new")).otherwise("item_id")
    return train, test.with_columns(odd.alias("item_id"))


@pytest.fixture(scope="module")
def model(parts: tuple[pl.DataFrame, pl.DataFrame]) -> rg.GRU4Rec:
    """A small network."""
    return rg.GRU4Rec(layers=(8,), n_sample=16, n_epochs=1, seed=1, device="cpu").fit(parts[0])


def written(table: pl.DataFrame) -> bytes:
    """The bytes of its file."""
    content = BytesIO()
    table.write_parquet(content)
    return content.getvalue()


@pytest.mark.parametrize("unknown", ["miss", "drop"])
def test_workers_make_the_ledger_of_one_process(
    model: rg.GRU4Rec, parts: tuple[pl.DataFrame, pl.DataFrame], unknown: str
) -> None:
    items = rg.ItemFilter(deny=model.vocabulary_.ids[:3].to_list())
    alone = rg.evaluate(model, parts[1], unknown=unknown, items=items)  # type: ignore[arg-type]
    shared = rg.evaluate(model, parts[1], unknown=unknown, items=items, engine="ray")  # type: ignore[arg-type]
    assert alone.unknown > 50
    assert alone.replay["source"].n_unique() == 3
    assert written(shared.ranks) == written(alone.ranks)
    assert written(shared.replay) == written(alone.replay)
    assert shared.to_dict() == alone.to_dict()


def test_workers_recommend_what_one_process_recommends(
    model: rg.GRU4Rec, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    denied = model.vocabulary_.ids[:3].to_list()
    alone = model.recommend(parts[1], k=5, deny=iter(denied))
    assert written(model.recommend(parts[1], k=5, deny=iter(denied), engine="ray")) == written(alone)
    assert set(alone["source"]) == {"model", "popularity"}


def test_a_scorer_that_cannot_be_saved_is_refused(
    model: rg.GRU4Rec, parts: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    class Scores:
        vocabulary_, blocks = model.vocabulary_, model.blocks

    with pytest.raises(ParameterError, match="with save and load"):
        rg.evaluate(Scores(), parts[1], engine="ray")


def test_workers_share_one_study(
    parts: tuple[pl.DataFrame, pl.DataFrame], template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mlruns = Path(shutil.copytree(template, tmp_path / "mlruns"))
    train = rg.Sessions.from_events(parts[0])
    validation = rg.Sessions.from_events(parts[1], train.vocabulary)
    asked = Search("ItemKNN", trials=6, study="shared")
    said: list[str] = []
    best = search(asked, train, validation, where="mlruns", say=said.append, engine="ray")
    study = open_study(asked.of(train, validation), mlruns)
    done = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    assert 6 <= len(done) <= 7, "each worker may be at work on a trial when the last one is finished"
    assert len({trial.user_attrs[PROCESS] for trial in done}) == 2
    assert best == study.best_params
    assert sum(line.startswith("trial ") for text in said for line in text.splitlines()) == len(done)
