"""Words of many languages, against a walk over the characters."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.facts.words import keys_of, words_of
from tests.facts.oracles import slow_key, slow_words

LETTERS = "aZ ßéİﬁ²9-_'!東京都タワーひらนี่ขอบ한글мирمرحباעבריתहिन्दी\u0301ＡＢ々\n"


def of(*texts: str | None) -> list[list[str]]:
    found = words_of(pl.Series(texts, dtype=pl.String))
    return [found.filter(row=row)["text"].to_list() for row in range(len(texts))]


@given(st.lists(st.none() | st.text(LETTERS, max_size=15), max_size=6))
def test_words_are_those_of_a_walk_over_the_characters(texts: list[str | None]) -> None:
    assert of(*texts) == [slow_words(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("STRASSE straße Straße", ["strasse"]),
        ("ＡＢＣ abc", ["abc"]),
        ("cafe\u0301 CAFÉ", ["café"]),
        ("東京都", ["東京", "京都"]),
        ("犬", ["犬"]),
        ("タワー2024年", ["タワ", "ワー", "2024", "年"]),
        ("นี่คือ", ["นี่คื", "คือ"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("안녕 세상", ["안녕", "세상"]),
        ("Привет, МИР!", ["привет", "мир"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("!?", []),
    ],
)
def test_texts_of_many_languages_have_their_words(text: str, words: list[str]) -> None:
    assert of(text) == [words]


@given(st.lists(st.text(max_size=9), max_size=5))
def test_keys_are_the_first_bytes_of_the_digest(texts: list[str]) -> None:
    assert keys_of(pl.Series(texts, dtype=pl.String)).tolist() == [slow_key(text) for text in texts]
