"""Sessions as a person reads them: what was clicked, what came next, what the model would have shown."""

from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender
    from recsys_gru.sessions import Sessions

SHOWN = 5
LONGEST = 30
"""Letters of a name."""


def show_examples(model: "Recommender", test: "Sessions", count: int) -> None:
    """Some test sessions without their last click, the recommendations, and that click."""
    click.echo(
        f"\nThe first {count} test sessions of at least three known clicks, and {SHOWN} items recommended:"
    )
    long = np.flatnonzero(test.lengths >= 3)[:count]
    for session in long.tolist():
        numbers = test.items[test.offsets[session] : test.offsets[session + 1]]
        *clicked, came = test.vocabulary.take(numbers).to_list()
        shown = model.recommend_one(clicked, k=SHOWN)["item_id"].to_list()
        names = model.vocabulary_.names_of([*clicked[-4:], *shown, came])
        next_one = _short(names.get(came, came))
        mark = (
            f"the next click, {next_one}, is number {shown.index(came) + 1}"
            if came in shown
            else f"next came {next_one}"
        )
        so_far, then = ([_short(names.get(one, one)) for one in ids] for ids in (clicked[-4:], shown))
        click.echo(f"  {' > '.join(so_far)}  ->  {', '.join(then)}   ({mark})")


def _short(name: object) -> str:
    """An id or a name, of which the end is left out where it is long.

    >>> _short("The Adventures of Priscilla, Queen of the Desert")
    'The Adventures of Priscilla, …'
    """
    text = str(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
