"""Slow, plain re-computations of what facts become, written from the rules alone, one value at a time."""

import math
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from statistics import fmean, pstdev

NO_BLANKS = (
    "CJK UNIFIED",
    "CJK COMPAT",
    "IDEOGRAPHIC ITERATION",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
)


def slow_words(text: str | None) -> list[str]:
    """The distinct words of a text: a walk over its characters."""
    found: list[str] = []
    run, blankless = "", False
    for character in [*unicodedata.normalize("NFKC", text or ""), " "]:
        name = unicodedata.name(character, "")
        is_word = unicodedata.category(character)[0] in "LMN"
        of_run = is_word and name.startswith(NO_BLANKS)
        if run and (not is_word or of_run != blankless):
            found += [word for word in _cut(run, blankless) if word not in found]
            run = ""
        if is_word:
            run, blankless = run + character, of_run
    return list(dict.fromkeys(found))


def _cut(run: str, blankless: bool) -> list[str]:
    word = unicodedata.normalize("NFKC", run.casefold())
    if not blankless:
        return [word]
    starts = [i for i, c in enumerate(word) if i == 0 or unicodedata.category(c)[0] != "M"]
    ends = [*starts[2:], len(word)]
    return [word[a:b] for a, b in zip(starts, ends, strict=False)]


def slow_key(text: str) -> int:
    """The first eight bytes of the digest as a whole number with a sign, little end first."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def slow_labels(
    kind: str, values: Sequence[object], learn_from: Sequence[int], buckets: int = 0
) -> list[dict[int, float]]:
    """Key -> weight of each row of a column of texts; only keys of the rows learned from are known."""
    keys = [
        {slow_key(text) % buckets if buckets else slow_key(text) for text in _texts(kind, value)}
        for value in values
    ]
    known = set().union(*(keys[row] for row in learn_from))
    return [{key: 1 / math.sqrt(len(have & known)) for key in have & known} for have in keys]


def _texts(kind: str, value: object) -> list[str]:
    if value is None:
        return []
    if kind == "words":
        return slow_words(str(value))
    many = value if isinstance(value, list) else [value]
    return [text for text in (str(one).strip() for one in many if one is not None) if text]


def slow_number(
    values: Sequence[float | None], learn_from: Sequence[int], edges: Sequence[float]
) -> list[tuple[float, int | None]]:
    """(standardised number, band) of each row, (0, None) where it is missing."""
    told = [value for row in learn_from if (value := values[row]) is not None]
    mean, spread = (fmean(told), pstdev(told) or 1.0) if told else (0.0, 1.0)
    rows: list[tuple[float, int | None]] = []
    for value in values:
        if value is None:
            rows.append((0.0, None))
        else:
            rows.append((max(-5.0, min(5.0, (value - mean) / spread)), sum(value >= edge for edge in edges)))
    return rows


def slow_vectors(values: Sequence[list[float] | None], learn_from: Sequence[int]) -> list[list[float]]:
    """Vectors less their mean, with a mean square length of 1; zeros where one is missing."""
    told = [value for row in learn_from if (value := values[row]) is not None]
    width = max((len(value) for value in told), default=0)
    mean = [fmean(value[axis] for value in told) for axis in range(width)]
    length = fmean(sum((x - m) ** 2 for x, m in zip(one, mean, strict=True)) for one in told) if told else 0
    scale = math.sqrt(length) or 1.0
    return [
        [0.0] * width if one is None else [(x - m) / scale for x, m in zip(one, mean, strict=width > 0)]
        for one in values
    ]
