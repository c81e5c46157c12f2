"""Write a small file of every kind that the library keeps, and what it answered when it wrote them.

What lies beside this file was written by commit 74fdd28, for later code to read. To make it again, in NEW:

    git worktree add BEFORE 74fdd28
    PYTHONPATH=BEFORE python tests/written_before/make.py NEW

nightly.toml is nobody's output: it was written by hand, as a user of that commit would have.
"""

import importlib
import json
import pkgutil
import shutil
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

import recsys_gru as rg

ROOMS = ("clicks", "evaluation", "ranking", "contract", "baselines", "training", "recommender", "tracking")
RECIPE = rg.Recipe(min_support=2, test=timedelta(days=1))
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")  # of four in the log, those that the store takes in


def write(folder: Path) -> None:
    """Write everything into a new folder."""
    (folder / "notes").mkdir(parents=True)
    log = rg.generate_clicks(n_sessions=250, n_items=40, days=4, seed=1)
    faults = [log.head(2), log.head(1).with_columns(item_id=pl.lit(None, pl.Int64))]
    pl.concat([log, *faults]).write_parquet(folder / "clicks.parquet")
    prepared = rg.prepare(rg.read_clicks(folder / "clicks.parquet"), folder / "prepared", RECIPE)
    told = {"store": write_store(folder), "prepared": told_of(prepared), "packed": write_packed(folder)}
    told |= write_models(folder) | {"checkpoint": write_checkpoint(folder)}
    for name, content in (("answers", told), ("names", names())):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def days_of(folder: Path) -> list[pl.DataFrame]:
    """The clicks of each of the days, faults included."""
    log = pl.read_parquet(folder / "clicks.parquet")
    return [log.filter(pl.col("time").dt.date().cast(pl.String) == day) for day in DAYS]


def write_store(folder: Path) -> object:
    """The store of three days; gives its fingerprints."""
    store = rg.ClickStore(folder / "store")
    for day in days_of(folder):
        store.add(day)
    return {"all": store.fingerprint()} | {str(day): text for day, text in store.fingerprints().items()}


def told_of(prepared: Any) -> object:  # noqa: ANN401 - what rg.prepare gives has no public name
    """What a prepared log says of itself."""
    prints = {"train": prepared.train.fingerprint(), "test": prepared.test.fingerprint()}
    ledger = prepared.ledger.table().to_dicts()
    return prints | {"cut": prepared.cut.isoformat(), "counts": prepared.counts, "ledger": ledger}


def write_packed(folder: Path) -> object:
    """Packed sessions with ids of text, the later ones with unknown items; gives their fingerprints."""
    log = rg.generate_clicks(n_sessions=120, n_items=60, days=3, seed=2, text_ids=True)
    earlier, later = rg.split_by_time(log, test=timedelta(days=1))
    train = rg.as_sessions(earlier)
    parts = {"train": train, "test": rg.as_sessions(later, train.vocabulary)}
    for name, sessions in parts.items():
        rg.write_sessions(sessions, folder / "packed" / name)
    return {name: sessions.fingerprint() for name, sessions in parts.items()}


def write_models(folder: Path) -> dict[str, object]:
    """Saved models, notes of a fit, a rank ledger, and a served model; gives the models' answers."""
    prepared, texts = rg.read_prepared(folder / "prepared"), rg.read_sessions(folder / "packed" / "train")
    with rg.tracking.noting(folder / "notes", "toy"):
        network = gru4rec(n_epochs=2).fit(prepared.train)
    models: dict[str, rg.Recommender] = {"gru4rec": network, "markov": rg.Markov().fit(texts)}
    models["vsknn"] = rg.VSKNN(neighbors=20, sample_size=50).fit(prepared.train)
    for name, model in models.items():
        model.save(folder / name, metrics={"recall_at_20": 0.5}, metadata={"made": "before"})
    told = {name: answers_of(model, folder) for name, model in models.items()}
    rg.write_ranks(rg.evaluate(network, prepared.test).ranks, folder / "ranks.parquet")
    write_served(models["markov"], folder)
    return told | {"warm": answers_of(network.partial_fit(prepared.test, n_epochs=1), folder)}


def gru4rec(n_epochs: int, patience: int | None = None) -> rg.GRU4Rec:
    """A network of a few units, with everything that a checkpoint must keep."""
    return rg.GRU4Rec(
        layers=(8,), batch_size=8, n_sample=16, learning_rate=0.1, momentum=0.1, dropout_p_embed=0.1,
        dropout_p_hidden=0.1, logq=1.0, n_epochs=n_epochs, patience=patience, seed=1, device="cpu",
    )  # fmt: skip


def answers_of(model: rg.Recommender, folder: Path) -> object:
    """The model's fingerprint, its figures on the test sessions of its ids, its answers to some sessions."""
    ids = model.vocabulary_.ids.to_list()
    test = rg.read_sessions(folder / ("packed" if isinstance(ids[0], str) else "prepared") / "test")
    asked: dict[str, list[int | str]] = {"one": ids[3:4], "three": ids[5:8], "six": ids[:6], "none": []}
    lists = {name: model.recommend_one(items, k=5).to_dict(as_series=False) for name, items in asked.items()}
    return {"fingerprint": model.fingerprint_, "report": rg.evaluate(model, test).to_dict(), "asked": lists}


def write_checkpoint(folder: Path) -> object:
    """What a fit leaves that breaks off in its second epoch; gives what one says that does not."""

    def cut_off(report: rg.EpochReport) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    parts, place = rg.read_prepared(folder / "prepared"), folder / "checkpoint"
    broken, calm = gru4rec(3, patience=3), gru4rec(3, patience=3)
    with suppress(KeyboardInterrupt):
        broken.fit(parts.train, parts.test, checkpoint_dir=place, checkpoint_every=40, on_epoch=cut_off)
    epochs = calm.fit(parts.train, parts.test).history_
    told = [{"loss": one.loss, "events": one.events, "metrics": one.metrics} for one in epochs]
    return {"epochs": told, "model": answers_of(calm, folder)}


def write_served(model: rg.Recommender, folder: Path) -> None:
    """The model in MLflow's form, without the copy of the library's code and the paths of this machine."""
    with TemporaryDirectory() as place:
        served = Path(place) / "served"
        sys.modules[rg.tracking.Registry.__module__].write_served(model, served)
        shutil.rmtree(served / "code")
        lines = (served / "MLmodel").read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.strip().startswith(("code: ", "uri: "))]
        own = [
            line.partition("/")[0] + "serving.py\n" if "model_code_path" in line else line for line in kept
        ]
        (served / "MLmodel").write_text("".join(own))
        shutil.make_archive(str(folder / "served"), "zip", served)


def names() -> dict[str, Any]:
    """The public names, those of each room, and those in MLflow, wherever in their room the tables are."""
    rooms = {room: list(importlib.import_module(f"recsys_gru.{room}").__all__) for room in ROOMS}
    inside = pkgutil.walk_packages(rg.tracking.__path__, "recsys_gru.tracking.")
    (place,) = (module.name for module in inside if module.name.endswith(".names"))
    tables = vars(importlib.import_module(place))
    mlflow = {table: list(tables[table]) for table in ("METRICS", "TAGS", "ARTIFACTS", "ALIASES")}
    return {"public": rg.__all__, "rooms": rooms, "mlflow": mlflow}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
