"""A saved recommender as MLflow serves it: sessions in, ranked items out. MLflow runs this file."""

import math
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, final

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from recsys_gru.arguments import flag, shown, whole_number
from recsys_gru.contract import Recommender, load
from recsys_gru.errors import InputError

if TYPE_CHECKING:
    import polars as pl

BUNDLE = "bundle"
MOST_ITEMS, MOST_WANTED = 1000, 1000


@final
class ServedModel(PythonModel):
    """Answers each row, a session with its ``items``, with the next items in order."""

    model: Recommender

    def load_context(self, context: PythonModelContext) -> None:
        """Load the saved recommender beside this file."""
        self.model = load(Path(context.artifacts[BUNDLE]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> list[dict[str, object]]:
        """Rank the next items of every session.

        Args:
            model_input: the column items, lists of ids; allow and deny, lists of ids, may be there, and be
                missing or null in any row: such a row has no such list. An empty deny bars nothing, an empty
                allow lets nothing pass.
            params: k and exclude_seen.

        Returns:
            For each session: items, scores, source; for one that cannot be answered no items, the source
            "none", and under error why.

        Raises:
            InputError: if k is impossible, or no session can be answered.
        """
        del context  # read once, in load_context
        given = params or {}
        k = whole_number("k", given.get("k", 20), 1)
        exclude_seen = flag("exclude_seen", given.get("exclude_seen", True))
        if k > MOST_WANTED:
            raise InputError(f"expected k from 1 to {MOST_WANTED}, got {k}")
        answers = [self._answer(row, k, exclude_seen) for row in model_input.to_dict("records")]
        if answers and all("error" in answer for answer in answers):
            raise InputError(str(answers[0]["error"]))
        return answers

    def _answer(self, row: Mapping[Hashable, object], k: int, exclude_seen: bool) -> dict[str, object]:
        try:
            ranked = self._ranked(row, k, exclude_seen)
        except InputError as error:  # a row's own affair: the others are answered
            return {"items": [], "scores": [], "source": "none", "error": str(error)}
        return {
            "items": ranked["item_id"].to_list(),
            "scores": ranked["score"].to_list(),
            "source": ranked["source"][0] if len(ranked) else "none",
        }

    def _ranked(self, row: Mapping[Hashable, object], k: int, exclude_seen: bool) -> "pl.DataFrame":
        items, allow, deny = (_ids(row.get(name), name) for name in ("items", "allow", "deny"))
        if items is None or len(items) > MOST_ITEMS:
            raise InputError(f"expected items as a list of at most {MOST_ITEMS} ids, got {str(row)[:80]}")
        return self.model.recommend_one(items, k, exclude_seen, allow, deny)


def _ids(cell: object, name: str) -> list[int | str] | None:
    """The ids of a cell; a missing one is no list but NaN or None."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, str | bytes | dict) or not isinstance(cell, Iterable):
        raise InputError(f"expected {name} as a list of ids, got {shown(cell)}")
    return list(cell)


set_model(ServedModel())
