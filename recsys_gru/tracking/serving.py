"""A saved recommender as MLflow serves it: sessions in, ranked items out. MLflow runs this file."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import final

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

import recsys_gru
from recsys_gru.contract import Recommender, read_manifest
from recsys_gru.errors import InputError

BUNDLE = "bundle"
MOST_ITEMS, MOST_WANTED = 1000, 1000


@final
class ServedModel(PythonModel):
    """Answers each row, a session with its ``items``, with the next items in order."""

    model: Recommender

    def load_context(self, context: PythonModelContext) -> None:
        """Load the saved recommender beside this file."""
        folder = Path(context.artifacts[BUNDLE])
        self.model = getattr(recsys_gru, read_manifest(folder).model).load(folder)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> list[dict[str, object]]:
        """Rank the next items of every session.

        Args:
            model_input: the column items, lists of ids; allow and deny, lists of ids, may be there.
            params: k and exclude_seen.

        Returns:
            For each session: items, scores, source.

        Raises:
            InputError: if a session or k is too long.
        """
        del context  # read once, in load_context
        given = params or {}
        k, exclude_seen = int(str(given.get("k", 20))), bool(given.get("exclude_seen", True))
        if not 1 <= k <= MOST_WANTED:
            raise InputError(f"expected k from 1 to {MOST_WANTED}, got {k}")
        return [self._answer(row, k, exclude_seen) for row in model_input.to_dict("records")]

    def _answer(self, row: Mapping[Hashable, object], k: int, exclude_seen: bool) -> dict[str, object]:
        items, allow, deny = (_ids(row.get(name)) for name in ("items", "allow", "deny"))
        if items is None or len(items) > MOST_ITEMS:
            raise InputError(f"expected items as a list of at most {MOST_ITEMS} ids, got {str(row)[:80]}")
        ranked = self.model.recommend_one(items, k, exclude_seen, allow, deny)
        return {
            "items": ranked["item_id"].to_list(),
            "scores": ranked["score"].to_list(),
            "source": ranked["source"][0] if len(ranked) else "none",
        }


def _ids(cell: object) -> list[int | str] | None:
    """The ids of a cell; a missing one is no list but NaN or None."""
    if cell is None or isinstance(cell, float):
        return None
    return list(cell)  # type: ignore[call-overload, no-any-return] # the signature has checked it


set_model(ServedModel())
