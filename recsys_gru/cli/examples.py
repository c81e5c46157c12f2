"""Sessions as a person reads them: what was clicked, what came next, what the model would have shown."""

from typing import TYPE_CHECKING

import click
import numpy as np

if TYPE_CHECKING:
    from recsys_gru.contract import Recommender
    from recsys_gru.sessions import Sessions

SHOWN = 5


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
        mark = (
            f"the next click, {came}, is number {shown.index(came) + 1}"
            if came in shown
            else f"next came {came}"
        )
        click.echo(f"  {' > '.join(map(str, clicked[-4:]))}  ->  {', '.join(map(str, shown))}   ({mark})")
