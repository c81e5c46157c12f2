"""Rank ledgers by their exact names, and files that are none; text in pictures is text."""

import os
from pathlib import Path

import polars as pl
import pytest

import recsys_gru as rg
from recsys_gru.errors import SchemaError
from recsys_gru.evaluation.compare import compare
from recsys_gru.evaluation.plots import draw_comparison, draw_recall_curves, draw_slices, plain
from recsys_gru.evaluation.slices import slices

NAMES = ["shop $us_{$", "$", "$$", r"\$a$", "_hidden", "a_b^c", "$\\frac{", "%s", "\udcff"]


@pytest.fixture(scope="module")
def ranks() -> pl.DataFrame:
    log = rg.generate_clicks(300, 40, days=4, seed=1)
    return rg.evaluate(rg.Markov().fit(log), log).ranks


@pytest.mark.parametrize("name", ["ranks[12].parquet", "r*.parquet", "r?nks.parquet", "~", "a=1"])
def test_a_name_is_a_name(
    ranks: pl.DataFrame, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rg.write_ranks(ranks.head(3), "ranks1.parquet")
    rg.write_ranks(ranks, name)
    assert rg.read_ranks(name).equals(ranks)


@pytest.mark.parametrize("column", ["rank", "rank_standard", "rank_median"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), None, "first", 1])
def test_ranks_that_cannot_be_are_refused(
    ranks: pl.DataFrame, tmp_path: Path, column: str, value: object
) -> None:
    bent = ranks.with_columns(pl.lit(value).alias(column))
    rg.write_ranks(bent, tmp_path / "ranks.parquet")
    with pytest.raises(SchemaError, match=column):
        rg.read_ranks(tmp_path / "ranks.parquet")


def test_what_is_no_ledger_is_refused(ranks: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "ranks.parquet"
    with pytest.raises(SchemaError, match="ranks"):
        rg.read_ranks(path)
    os.mkfifo(path)
    with pytest.raises(SchemaError, match="pipe"):
        rg.read_ranks(path)
    path.unlink()
    rg.write_ranks(ranks, path)
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[:-9], whole[: len(whole) // 2], whole[4:]):
        path.write_bytes(content)
        with pytest.raises(SchemaError):
            rg.read_ranks(path)


def test_a_full_disk_leaves_the_old_ledger_alone(
    ranks: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rg.write_ranks(ranks, tmp_path / "ranks.parquet")

    def full(_: Path, __: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            rg.write_ranks(ranks.head(1), tmp_path / "ranks.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["ranks.parquet"]
    assert rg.read_ranks(tmp_path / "ranks.parquet").equals(ranks)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_drawn_as_they_are(ranks: pl.DataFrame, tmp_path: Path, name: str) -> None:
    draw_recall_curves({name: ranks, f"other {name}": ranks}, tmp_path / "curves.png")
    draw_comparison(compare(ranks, ranks), tmp_path / "pair.png", (name, name))
    parts = slices(ranks, 20).with_columns(pl.lit(name.encode(errors="replace").decode()).alias("part"))
    draw_slices(parts, tmp_path / "slices.png")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_dollar_is_a_dollar_in_the_picture() -> None:
    from matplotlib.figure import Figure

    text = Figure().text(0, 0, plain("shop $us_{$"))
    assert text._preprocess_math(text.get_text()) == ("shop $us_{$", False)  # type: ignore[attr-defined]
