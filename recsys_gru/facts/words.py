"""Words out of texts of any language, and numbers for texts that are the same on every machine."""

import unicodedata
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

_NO_BLANKS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u30FC"
"""Scripts that put no blanks between words; with the mark of a long vowel, which is of two of them."""
_RUN = f"[{_NO_BLANKS}]+"
_PIECE = rf"{_RUN}|[\p{{L}}\p{{N}}\p{{M}}&&[^{_NO_BLANKS}]]+"
KEY_BYTES = 8


def words_of(texts: pl.Series) -> pl.DataFrame:
    """The distinct words of each text: row, text; rows without a word are left out.

    Words are runs of letters, marks and digits without regard to case, width and other ways of writing the
    same (NFKC, case folding). Where a script puts no blanks between words, such as those of Chinese, Japanese
    and Thai, they are the pairs of neighbouring characters.

    >>> words_of(pl.Series(["Blue SHIRT, blue!", None, "東京都"]))["text"].to_list()
    ['blue', 'shirt', '東京', '京都']
    """
    pieces = (
        pl.DataFrame({"text": texts.cast(pl.String)})
        .with_row_index("row")
        .select("row", pl.col("text").str.normalize("NFKC").str.extract_all(_PIECE))
        .explode("text", empty_as_null=False, keep_nulls=False)
    )
    found = pieces.select(pl.col("text").unique(maintain_order=True))
    runs = found["text"].str.contains(f"^{_RUN}$").to_list()
    folded = [_folded(text) for text in found["text"].to_list()]
    split = [_pairs(text) if run else [text] for text, run in zip(folded, runs, strict=True)]
    table = found.with_columns(pl.Series("word", split, pl.List(pl.String)))
    rows = pieces.join(table, on="text", how="left", maintain_order="left").select("row", text="word")
    return rows.explode("text").unique(maintain_order=True)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text.casefold())


def _pairs(text: str) -> list[str]:
    """Pairs of neighbouring characters, each with the marks that belong to it."""
    whole: list[str] = []
    for character in text:
        if whole and unicodedata.category(character).startswith("M"):
            whole[-1] += character
        else:
            whole.append(character)
    return ["".join(pair) for pair in pairwise(whole)] or [text]


def keys_of(texts: pl.Series) -> NDArray[np.int64]:
    """A number of 64 bits for each text, (n,): the first bytes of its BLAKE2b digest (RFC 7693).

    >>> keys_of(pl.Series(["red"])).tolist()
    [-6681078847286810355]
    """
    digests = b"".join(
        blake2b(text.encode("utf-8"), digest_size=KEY_BYTES).digest() for text in texts.to_list()
    )
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)
