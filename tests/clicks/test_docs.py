"""The page on click logs is executed."""

import doctest
from pathlib import Path


def test_the_examples_on_the_page_give_what_it_says() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "clicks.md"
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 20
    assert failed == 0
