"""Where a model is good and where not: the ledger cut by position, length, popularity and time."""

from datetime import timedelta
from statistics import NormalDist

import polars as pl

from recsys_gru.errors import SchemaError
from recsys_gru.evaluation.ledger import rank_values
from recsys_gru.evaluation.metrics import GAINS
from recsys_gru.evaluation.statistics import LEAST

Breaks = list[tuple[int, str]]

POSITIONS: Breaks = [
    (0, "none known before"),
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (4, "4"),
    (5, "5-9"),
    (10, "10-19"),
    (20, "20+"),
]
LENGTHS: Breaks = [(2, "2"), (3, "3"), (4, "4-5"), (6, "6-9"), (10, "10-19"), (20, "20+")]
SUPPORTS: Breaks = [(0, "never"), (1, "1-4"), (5, "5-19"), (20, "20-99"), (100, "100+")]
AGES: Breaks = [(0, "less than a day"), (1, "1-6 days"), (7, "7-29 days"), (30, "30 days or more")]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
METRICS = ("recall", "mrr")
DAY = timedelta(days=1).total_seconds()


def first_seen(train: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The time of each item's first event: item_id, first_seen.

    >>> first_seen(pl.DataFrame({"item_id": [7, 7], "time": [2, 1]})).row(0)
    (7, 1)
    """
    found = train.lazy().group_by("item_id").agg(pl.col("time").min().alias("first_seen"))
    return found.sort("item_id").collect()


def slices(
    ranks: pl.DataFrame,
    k: int = 20,
    *,
    ties: str = "conservative",
    level: float = 0.95,
    first_seen: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Recall@k and MRR@k of each part of the test.

    The parts are: position of the target in its session, length of the session, clicks of training on the
    target, hour (UTC), weekday, whether the target was clicked before in the session, and, with
    ``first_seen`` (item_id, first_seen of training), how long ago its first event is.

    Intervals are normal ones of a ratio of session totals, null below 10 sessions.
    Source: Cochran, Sampling Techniques, 1977, section 6.3.

    Returns:
        slice, part, events, sessions, recall, recall_low, recall_high, mrr, mrr_low, mrr_high.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> ranks = rg.evaluate(rg.Markov().fit(train), test).ranks
    >>> slices(ranks).filter(slice="repeat")["part"].to_list()
    ['first click', 'clicked before']
    """
    values = rank_values(ranks, ties)
    gains = [pl.Series(name, GAINS[name](values, k)) for name in METRICS]
    frame = _with_age(ranks, first_seen).with_columns(*gains)
    parts = [_one_slice(frame, name, part) for name, part in _parts(first_seen is not None).items()]
    table = pl.concat(parts)
    z = NormalDist().inv_cdf((1 + level) / 2)
    ends = [
        expression
        for name in METRICS
        for expression in (
            (pl.col(name) - z * pl.col(f"{name}_error")).clip(0, 1).alias(f"{name}_low"),
            (pl.col(name) + z * pl.col(f"{name}_error")).clip(0, 1).alias(f"{name}_high"),
        )
    ]
    columns = [name for metric in METRICS for name in (metric, f"{metric}_low", f"{metric}_high")]
    return table.with_columns(ends).select("slice", "part", "events", "sessions", *columns)


def _parts(with_age: bool) -> dict[str, pl.Expr]:
    """Slice -> the part of each event, as an Enum in natural order."""
    parts = {
        "position": _cut(pl.col("position"), POSITIONS),
        "session length": _cut(pl.len().over("session_id") + 1, LENGTHS),
        "clicks on the target": _cut(pl.col("support"), SUPPORTS),
        "weekday": pl.col("time").dt.weekday().replace_strict(range(1, 8), DAYS, return_dtype=pl.Enum(DAYS)),
        "repeat": _either("repeat", "first click", "clicked before"),
    }
    age = {"age of the target": _cut(pl.col("age"), AGES, "never seen")} if with_age else {}
    hours = pl.Enum([f"{hour:02}" for hour in range(24)])
    return parts | age | {"hour (UTC)": pl.col("hour").cast(pl.String).str.zfill(2).cast(hours)}


def _cut(value: pl.Expr, breaks: Breaks, rest: str = "unknown item") -> pl.Expr:
    labels = [label for _, label in breaks]
    chosen: pl.Expr = pl.lit(None, pl.String)
    for least, label in breaks:
        chosen = pl.when(value >= least).then(pl.lit(label)).otherwise(chosen)
    return chosen.fill_null(rest).cast(pl.Enum([*labels, rest]))


def _either(flag: str, no: str, yes: str) -> pl.Expr:
    return pl.when(flag).then(pl.lit(yes)).otherwise(pl.lit(no)).cast(pl.Enum([no, yes]))


def _with_age(ranks: pl.DataFrame, seen: pl.DataFrame | None) -> pl.DataFrame:
    """With the days since the first event of the target, null where training has none."""
    if seen is None:
        return ranks
    if not {"item_id", "first_seen"} <= set(seen.columns):
        raise SchemaError(f"expected first_seen with columns item_id, first_seen; got {seen.columns}")
    joined = ranks.join(seen.select("item_id", "first_seen"), on="item_id", how="left", maintain_order="left")
    return joined.with_columns(age=(pl.col("time") - pl.col("first_seen")).dt.total_seconds() / DAY)


def _one_slice(frame: pl.DataFrame, name: str, part: pl.Expr) -> pl.DataFrame:
    per_session = (
        frame.lazy()
        .with_columns(part=part)
        .group_by("part", "session_id")
        .agg(pl.len().alias("events"), pl.col(*METRICS).sum())
    )
    total = pl.col("events").sum()
    means = [(pl.col(metric).sum() / total).alias(metric) for metric in METRICS]
    return (
        per_session.group_by("part")
        .agg(total, pl.len().alias("sessions"), *means, *[ratio_error(metric) for metric in METRICS])
        .sort("part")
        .select(pl.lit(name).alias("slice"), pl.col("part").cast(pl.String), pl.exclude("part"))
        .collect()
    )


def ratio_error(metric: str) -> pl.Expr:
    """Standard error of a ratio of totals over sessions."""
    ratio = pl.col(metric).sum() / pl.col("events").sum()
    residuals = ((pl.col(metric) - ratio * pl.col("events")) ** 2).sum()
    small = pl.len() / (pl.len() - 1)
    error = (residuals * small).sqrt() / pl.col("events").sum()
    return pl.when(pl.len() >= LEAST).then(error).alias(f"{metric}_error")
