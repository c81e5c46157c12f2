"""What people call the items: cleaned, kept with the vocabulary, and found again."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from recsys_gru.errors import ClickLogError, SchemaError
from recsys_gru.sessions import Sessions, Vocabulary, renumbered
from recsys_gru.sessions.names import LONGEST_NAME, as_names, folded, resembling

TITLES = ["Crème brûlée", "東京 タワー", "قهوة", "กาแฟ", "Straße", None]
SIX = Vocabulary(pl.Series(range(6)), np.array([5, 4, 3, 2, 1, 0]), pl.Series(TITLES))


def found(text: str, k: int = 9) -> list[int]:
    return [int(number) for number in SIX.resembling(text, k)]


def test_names_are_one_line_that_steers_nothing() -> None:
    texts = pl.Series(["a\x1b[31m\tb\u202ec", "  ", "e\u0301", None, "x" * 999])
    assert as_names(texts).to_list() == ["a [31m b c", None, "é", None, "x" * LONGEST_NAME]


@pytest.mark.parametrize(
    ("text", "item"), [("BRULEE", 0), ("タワー", 1), ("قهوة", 2), ("กาแฟ", 3), ("straß", 4), ("creme bru", 0)]
)
def test_a_name_is_found_by_a_piece_of_it_in_any_language(text: str, item: int) -> None:
    assert found(text) == [item]


def test_nothing_is_found_by_nothing_by_what_is_no_name_or_among_ids_alone() -> None:
    assert found(" ") == found(".*") == found("brulee 東京") == []
    assert Vocabulary(SIX.ids, SIX.support).resembling("straße", 5).tolist() == []


def test_the_best_come_first_and_no_more_than_wanted() -> None:
    names = folded(pl.Series(["old shirt", "shirt", "Shirts", "shirt, old", "Shirt"]))
    order = resembling(names, np.array([9, 1, 3, 7, 2]), "shirt", 5).tolist()
    assert order == [4, 1, 3, 2, 0]
    assert resembling(names, np.array([9, 1, 3, 7, 2]), "shirt", 2).tolist() == [4, 1]


def test_names_are_told_anew_item_by_item() -> None:
    other = SIX.named(pl.Series([1, 5, 77]), pl.Series([None, " Hat\n", "unknown"]))
    assert other.names_of([0, 1, 5, 77]) == {0: "Crème brûlée", 5: "Hat"}
    assert SIX.names_of([1, 5]) == {1: "東京 タワー"}
    assert SIX.named(SIX.ids, pl.Series([None] * 6, dtype=pl.String)).names is None
    texts = Vocabulary(pl.Series(["7", "8"]), np.array([1, 1])).named(pl.Series([8]), pl.Series(["Hat"]))
    assert texts.names_of(["8"]) == {"8": "Hat"}


def test_what_was_written_comes_back_and_files_without_names_are_as_before(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.parquet"
    plain = replace(SIX, names=None)
    for vocabulary in (SIX, plain):
        again = Vocabulary.of_bytes(vocabulary.to_bytes(), path)
        assert again == vocabulary
        assert again.names_or_nulls.to_list() == vocabulary.names_or_nulls.to_list()
    assert pl.read_parquet(plain.to_bytes()).columns == ["item_id", "support"]
    crafted = pl.DataFrame({"item_id": [1], "support": [1], "name": [2]})
    crafted.write_parquet(path)
    with pytest.raises(SchemaError, match=r"name \(Int64\)"):
        Vocabulary.read(path)


def test_wrong_names_are_refused() -> None:
    for names in (pl.Series(["a"]), pl.Series([1, 2, 3, 4, 5, 6])):
        with pytest.raises(ClickLogError, match="expected one text or null per item"):
            replace(SIX, names=names)


def test_a_catalogue_that_goes_on_keeps_its_names() -> None:
    log = pl.DataFrame(
        {"session_id": [1, 1], "item_id": [9, 4], "time": [datetime(2026, 1, 1, tzinfo=UTC)] * 2}
    )
    newer = Sessions.from_events(log.with_columns(pl.col("time").cast(pl.Datetime("us", "UTC"))))
    keep = np.array([True, True, False, False, True, False])
    sessions, kept = renumbered(SIX, newer, keep)
    assert kept.tolist() == [0, 1, 4]
    assert sessions.vocabulary.names_or_nulls.to_list() == [TITLES[0], TITLES[1], TITLES[4], None]
