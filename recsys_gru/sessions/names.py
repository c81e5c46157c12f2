"""What people call the items: texts made fit to be shown, and found again by a piece of them."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

NAME = "name"
LONGEST_NAME = 200
_UNSEEN = r"[\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}]"
"""Characters that steer a terminal, or the order in which others are written."""
_ACCENTS = r"[\x{0300}-\x{036F}]"


def as_names(texts: pl.Series) -> pl.Series:
    """Texts in one line of at most 200 characters, without what steers where they are shown; null for none.

    >>> as_names(pl.Series(["Blue\\nshirt ", " ", None])).to_list()
    ['Blue shirt', None, None]
    """
    seen = texts.cast(pl.String).str.normalize("NFC").str.replace_all(_UNSEEN, " ")
    plain = seen.str.replace_all(r"\s+", " ").str.strip_chars().str.head(LONGEST_NAME).str.strip_chars_end()
    return plain.set(plain == "", None).alias(NAME)


def folded(texts: pl.Series) -> pl.Series:
    """Texts without regard to case, width and accents.

    >>> folded(pl.Series(["Crème BRÛLÉE"])).to_list()
    ['creme brulee']
    """
    return texts.str.normalize("NFKD").str.replace_all(_ACCENTS, "").str.to_lowercase()


def resembling(names: pl.Series, support: NDArray[np.int64], text: str, k: int) -> NDArray[np.int64]:
    """The places (R,) of at most k folded names that hold every word of a text: those that are the text come
    first, then those that begin with it, then the most clicked.

    >>> names = folded(pl.Series(["Red shirt", "Shirt", "Shirt, blue", None, "Blue hat"]))
    >>> resembling(names, np.array([9, 1, 2, 5, 3]), "SHIRT", 9).tolist()
    [1, 2, 0]
    """
    wanted = folded(pl.Series([text]))[0].split()
    whole = " ".join(wanted)
    if not wanted:
        return np.empty(0, np.int64)
    holds = pl.all_horizontal(pl.col(NAME).str.contains(word, literal=True) for word in wanted)
    table = pl.DataFrame({NAME: names, "support": support}).with_row_index("place").filter(holds)
    likeness = (pl.col(NAME) == whole).cast(pl.Int8) + pl.col(NAME).str.starts_with(whole)
    best = table.top_k(k, by=[likeness, pl.col("support"), -pl.col("place").cast(pl.Int64)])
    order = best.sort(likeness, "support", "place", descending=[True, True, False])
    return order["place"].to_numpy().astype(np.int64)
