"""Facts about items on the command line: told, learned, compared, and refused in words."""

import re
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from tests.cli.conftest import SMALL, Call


@pytest.fixture
def catalogue(tmp_path: Path) -> tuple[Path, Path]:
    """A log whose last day has items that no earlier click is on, and the facts of all items."""
    made = rg.generate_catalogue(1_500, 60, days=3, seed=1, categories=5, bands=2)
    made.clicks.write_csv(tmp_path / "shop.csv")
    title = pl.format("Лампа <{}> für Räume", "item_id")
    twice = pl.concat([made.items, made.items.head(1)]).with_columns(title=title)
    twice.write_csv(tmp_path / "items.csv")
    return tmp_path / "shop.csv", tmp_path / "items.csv"


def test_fit_learns_facts_and_the_model_recommends_what_nobody_clicked(
    call: Call, catalogue: tuple[Path, Path]
) -> None:
    log, items = catalogue
    said = call("fit", log, "--items", items, "--kind", "colour=words", "--test-days", 1, *SMALL)
    assert "items      61 read, 60 kept, 1 rejected (duplicate item_id: 1)" in said
    assert re.search(r"57 of them in the log, 3 that no click is on", said)
    assert "fact       category (label): a row for each of 5 labels" in said
    assert re.search(r"fact       colour \(words\): \d rows for the words", said)
    model = rg.load("model")
    assert len(model.vocabulary_) == 60
    first = model.vocabulary_.ids[0]
    assert f"Лампа <{first}> für Räume" in call("recommend", "model", "--items", 3, "--seen", "--k", 60)
    shown = call("evaluate", "model", log, "--test-days", 1)
    assert "clicks on never-seen items" in shown
    assert "never seen   clicks on items that no click of training is on" in shown


def test_demo_shows_the_network_with_and_without_facts_and_keeps_the_one_that_knows(
    call: Call, catalogue: tuple[Path, Path]
) -> None:
    log, items = catalogue
    said = call("demo", log, "--items", items, "--test-days", 1, *SMALL, "--param", "dropout_p_hidden=0.3")
    never = {}
    for model in ("GRU4Rec", "GRU4Rec with facts", "Markov"):
        found = re.search(
            rf"^{model}(?: +\d\.\d{{4}} / \d\.\d{{4}}){{4}} +(\d\.\d{{4}}) /", said, re.MULTILINE
        )
        assert found is not None, said
        never[model] = float(found[1])
    assert never["GRU4Rec"] == never["Markov"] == 0 < never["GRU4Rec with facts"]
    assert len(rg.load("demo/model").vocabulary_) == 60
    page = Path("demo/report.html").read_text()
    assert "<h1>GRU4Rec with facts on shop</h1>" in page
    assert "clicks on never-seen items" in page
    assert re.search(r'dir="auto" title="(\d+)">Лампа &lt;\1&gt; für Räume', page)
    assert re.search(r"Лампа <\d+> für Räume  ->  Лампа", said)


def test_a_model_without_facts_recommends_by_the_names_of_a_file(
    call: Call, refused: Call, catalogue: tuple[Path, Path]
) -> None:
    log, items = catalogue
    call("fit", log, "--model", "Markov")
    asked = ("recommend", "model", "--items", 3, "--k", 2)
    assert "Лампа" not in call(*asked)
    assert re.search(r"┆ (\d+) +┆ Лампа <\1> für Räume", call(*asked, "--names", items))
    assert "blue" in call(*asked, "--k", 60, "--names", items, "--name", "colour")
    assert "cannot hold names: it is number" in refused(*asked, "--names", items, "--name", "price")
    assert "give the file too" in refused(*asked, "--name", "price")


def test_describe_tells_what_facts_would_become(call: Call, catalogue: tuple[Path, Path]) -> None:
    log, items = catalogue
    said = call("describe", log, "--items", items)
    assert "fact       price (number): a standardised number, a row for each of 10 bands" in said
    assert "missing    category: 0, colour: 0, price: 0, title: 0" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "title=words"), "--kind says what a column of an items file is"),
        (("--items", "items.csv", "--kind", "title"), "expected a column's kind as name=kind, got 'title'"),
        (("--items", "items.csv", "--kind", "weight=words"), "kinds names 'weight'"),
        (("--items", "items.csv", "--model", "Markov"), "Markov learns from clicks alone"),
    ],
)
def test_facts_that_cannot_be_are_refused_in_words(
    refused: Call, catalogue: tuple[Path, Path], options: tuple[str, ...], said: str
) -> None:
    assert said in refused("fit", catalogue[0], *options)
