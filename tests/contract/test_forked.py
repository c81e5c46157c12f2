"""After a fork: what would wait for ever is refused in words, and what needs no threads answers."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

BEGIN = """
import multiprocessing as mp, tempfile
import recsys_gru as rg
from recsys_gru.errors import ForkError
log = rg.generate_clicks(n_sessions=60, n_items=20, days=3, seed=1)
folder = tempfile.mkdtemp() + "/model"
def forked(what):
    process = mp.get_context("fork").Process(target=what); process.start(); process.join(40)
    hangs = process.is_alive(); process.kill(); process.join()
    return "hangs" if hangs else process.exitcode
def refused(use):
    def child():
        try: use()
        except ForkError as error: raise SystemExit(7 if "spawn" in str(error) else 1)
    return forked(child)
"""
USED = """
model = MAKE.fit(log)
model.recommend(log.head(50), k=2)
model.save(folder)
one = model.recommend_one([1, 2], k=2)
def single():
    assert model.recommend_one([1, 2], k=2).equals(one)
    model.recommend_one(["1"], k=2, deny=[3, 2**70], allow=range(15))
    model.recommend_one([1], context={name: 3 for name in model.context_names})
    model.similar_items(1) if hasattr(model, "follows_") else None
print(forked(single))
for use in (lambda: model.recommend(log.head(50), k=2), lambda: rg.evaluate(model, log),
            lambda: model.fit(log), lambda: model.describe(log), lambda: rg.load(folder),
            lambda: type(model).load(folder),
            lambda: model.save(folder), lambda: rg.recommendation_lists(model, log),
            lambda: rg.as_sessions(log), lambda: rg.read_clicks(log)):
    print(refused(use))
"""
IMPORTED = """
import subprocess, sys
def whole():
    model = rg.Markov().fit(rg.generate_clicks(n_sessions=60, n_items=20, days=3, seed=1))
    model.recommend(rg.generate_clicks(n_sessions=9, n_items=20, days=3, seed=2), k=2)
print(forked(whole))
"""


def said_by(code: str) -> list[str]:
    """The lines that a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


@pytest.mark.parametrize(
    "make", ["rg.Markov()", "rg.GRU4Rec(layers=8, n_epochs=1, n_sample=8, batch_size=8, context=('hour',))"]
)
def test_single_answers_are_given_and_all_else_is_refused(make: str) -> None:
    assert said_by(BEGIN + USED.replace("MAKE", make)) == ["0", *["7"] * 10]


def test_where_only_the_package_was_imported_everything_works() -> None:
    begin = BEGIN.replace("log = rg.generate_clicks(n_sessions=60, n_items=20, days=3, seed=1)\n", "")
    assert said_by(begin + IMPORTED) == ["0"]


def test_what_used_polars_without_us_is_noticed_too() -> None:
    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112 - a place of Linux
        pytest.skip("only Linux tells")
    code = BEGIN.replace(
        "log = rg.",
        "import polars as pl\npl.DataFrame({'a': [1, 2]}).filter(pl.col('a') > 1)\nlog = None and rg.",
    )
    assert said_by(code + "print(refused(lambda: rg.load(folder)))") == ["7"]
