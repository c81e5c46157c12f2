"""The rank ledger: one row per evaluated event, kept as Parquet, from which every metric can be had again."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path

import polars as pl

from recsys_gru.arguments import choice, place, shown, whole_number
from recsys_gru.errors import InputError, ParameterError, SchemaError
from recsys_gru.evaluation.metrics import GAINS, Ranks, mean_gain
from recsys_gru.files import read_file

RANK_OF_TIES = {"conservative": "rank", "standard": "rank_standard", "median": "rank_median"}
"""Tie rule -> its column of the ledger."""

UNREADABLE = (OSError, OverflowError, pl.exceptions.PolarsError, pl.exceptions.PanicException)
COLUMNS = ("session_id", "position", "item_id", *RANK_OF_TIES.values(), "support", "repeat", "time", "hour")


def write_ranks(ranks: pl.DataFrame, path: Path | str) -> None:
    """Write a rank ledger as Parquet, aside first and then renamed.

    Raises:
        SchemaError: if a column is missing.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.part")
    content = BytesIO()
    _complete(ranks).write_parquet(content)
    try:
        aside.write_bytes(content.getvalue())
        aside.replace(target)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def read_ranks(path: Path | str) -> pl.DataFrame:
    """Read a rank ledger that ``write_ranks`` wrote, from the file of exactly this name.

    Raises:
        SchemaError: if there is no file, or it is not a rank ledger.
    """
    try:
        return _possible(_complete(pl.read_parquet(BytesIO(read_file(Path(place("path", path)))))))
    except (*UNREADABLE, InputError) as error:
        raise SchemaError(f"expected a rank ledger in Parquet at {path}, cannot read it: {error}") from error


def ranks_up_to(ranks: pl.DataFrame, deepest: int) -> pl.DataFrame:
    """A ledger in which all deeper ranks are infinite.

    >>> ranks_up_to(pl.DataFrame({"rank": [2.0, 3.0]}), 2)["rank"].to_list()
    [2.0, inf]
    """
    told = pl.col(name for name in (*RANK_OF_TIES.values(), "rank_shown") if name in ranks.columns)
    return ranks.with_columns(pl.when(told <= deepest).then(told).otherwise(float("inf")).name.keep())


def metrics_from_ranks(
    ranks: pl.DataFrame,
    metrics: Sequence[str] = ("recall", "mrr", "ndcg", "map"),
    cutoffs: Sequence[int] = (5, 10, 20),
    ties: str = "conservative",
) -> dict[str, float]:
    """Any metric at any cut-off from a rank ledger, without scoring again: ``{"recall_at_20": ...}``.

    >>> metrics_from_ranks(pl.DataFrame({"rank": [1.0, 3.0]}), metrics=["recall"], cutoffs=[1, 5])
    {'recall_at_1': 0.5, 'recall_at_5': 1.0}
    """
    values = rank_values(ranks, ties)
    return {f"{name}_at_{k}": mean_gain(name, values, k) for name, k in metric_grid(metrics, cutoffs)}


def metric_grid(metrics: Sequence[str], cutoffs: Sequence[int]) -> list[tuple[str, int]]:
    """Every metric at every cut-off.

    Raises:
        ParameterError: if a metric is unknown or a cut-off below 1.
    """
    names = [metrics] if isinstance(metrics, str) or not isinstance(metrics, Iterable) else list(metrics)
    for name in names:
        choice("metrics", name, GAINS)
    return [(name, k) for name in names for k in whole_cutoffs(cutoffs)]


def whole_cutoffs(cutoffs: Sequence[int] | int) -> tuple[int, ...]:
    """The cut-offs as plain numbers; a lone one will do.

    Raises:
        ParameterError: if there is none, or one is no whole number of at least 1.

    >>> whole_cutoffs(20)
    (20,)
    """
    if isinstance(cutoffs, str | bytes | dict):
        raise ParameterError(f"expected cut-offs of 1 or more, got {shown(cutoffs)}: give (5, 10, 20)")
    given = tuple(cutoffs) if isinstance(cutoffs, Iterable) and getattr(cutoffs, "ndim", True) else (cutoffs,)
    try:
        found = tuple(whole_number("a cut-off", k, 1) for k in given)
    except ParameterError as error:
        raise ParameterError(
            f"expected cut-offs of 1 or more, got {shown(given)}: give (5, 10, 20)"
        ) from error
    if not found:
        raise ParameterError("expected cut-offs of 1 or more, got none: give (5, 10, 20)")
    return tuple(dict.fromkeys(found))


def rank_values(ranks: pl.DataFrame, ties: str) -> Ranks:
    """The ranks (E,) float64 under one tie rule.

    Raises:
        ParameterError: if the tie rule is unknown or the ledger is empty.
    """
    choice("ties", ties, RANK_OF_TIES)
    if ranks.is_empty():
        raise ParameterError("expected a rank ledger with at least one event, got none: widen the slice")
    values: Ranks = ranks[RANK_OF_TIES[ties]].to_numpy()
    return values


def _complete(ranks: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in COLUMNS if name not in ranks.columns]
    if missing:
        raise SchemaError(f"expected a rank ledger with {', '.join(COLUMNS)}; missing: {missing}")
    return ranks


def _possible(ranks: pl.DataFrame) -> pl.DataFrame:
    """Ranks are numbers from 1 on, infinite for a miss."""
    for name in RANK_OF_TIES.values():
        column = ranks[name]
        numbers = column.dtype.is_float() and not column.null_count() and not column.is_nan().any()
        if not numbers or not (column >= 1).all():
            raise SchemaError(f"expected numbers of 1 or more in the column {name}")
    return ranks
