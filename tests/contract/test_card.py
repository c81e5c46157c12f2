"""The card of a saved model says what is known, and that the rest is not."""

import shutil
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import BundleError
from tests.contract.suite import log

BEFORE = Path(__file__).parents[1] / "written_before"


def card_of(folder: Path) -> str:
    return (folder / "card.md").read_text(encoding="utf-8")


def test_without_an_evaluation_it_says_that_nothing_is_known(tmp_path: Path) -> None:
    model = rg.Markov().fit(log(words=True))
    model.save(tmp_path / "model")
    said = card_of(tmp_path / "model")
    clicks = log(words=True)
    first, last = clicks["time"].sort().gather([0, -1]).dt.strftime("%Y-%m-%d %H:%M UTC")
    assert f"{first} to {last} |" in said
    assert f"| items | {len(model.vocabulary_)} |" in said
    assert f"(support) | {model.vocabulary_.support.sum()} |" in said
    assert model.fingerprint_ in said
    for words in ("None are kept with this model", "not measured here", "Not stated", "never recommended"):
        assert words in said


def test_an_evaluation_kept_with_it_is_told_with_intervals_and_conventions(tmp_path: Path) -> None:
    clicks = log(60)
    model = rg.Markov().fit(clicks)
    report = rg.evaluate(model, clicks, cutoffs=(5,))
    notes = report.notes() | {"licence": "CC0", "by": "a | b\n<i>"}
    model.save(tmp_path / "model", metrics=report.figures(), metadata=notes)
    said = card_of(tmp_path / "model")
    interval = notes["test/recall_at_5/interval"]
    low, high = (float(end) for end in interval.partition(" (")[0].split(" to "))
    assert low <= report.recall[5] <= high
    assert f"| recall_at_5 | {report.recall[5]:.4f} | {interval} |" in said
    assert f"ties: {report.ties}; unknown: 0 clicks on unknown items, rule drop" in said
    assert "share of the clicks tested on: 0.0%." in said
    assert "## Licence\n\nCC0\n" in said
    assert "| by | a \\| b &lt;i> |" in said


def test_items_without_a_click_are_counted(tmp_path: Path) -> None:
    ids = [*log()["item_id"].unique(), 999]
    facts = pl.DataFrame({"item_id": ids, "kind": [str(item % 3) for item in ids]})
    rg.GRU4Rec(layers=(4,), n_epochs=1, batch_size=4, n_sample=8).fit(log(), items=facts).save(
        tmp_path / "model"
    )
    assert "1 items have no click in the training part" in card_of(tmp_path / "model")


@pytest.mark.parametrize(
    ("old", "message"), [(True, "not part of a model of format 1"), (False, "is missing")]
)
def test_a_card_belongs_to_the_newer_format_alone(old: bool, message: str, tmp_path: Path) -> None:
    rg.Markov().fit(log()).save(tmp_path / "model")
    if old:
        shutil.copytree(BEFORE / "markov", tmp_path / "old")
        shutil.copy(tmp_path / "model" / "card.md", tmp_path / "old")
    else:
        (tmp_path / "model" / "card.md").unlink()
    with pytest.raises(BundleError, match=message):
        rg.load(tmp_path / ("old" if old else "model"))
