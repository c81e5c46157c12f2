"""Sessions out of a log of users: silence longer than the gap ends a session."""

from datetime import timedelta

import polars as pl

from recsys_gru.arguments import span, word
from recsys_gru.clicks.frames import EVENT, ITEM, SESSION, TIME, USER, Frame, lazy, require, require_times
from recsys_gru.clicks.order import sorted_rows

LONG_SILENCE = timedelta(hours=6)
"""No visit is silent for longer: an id that comes again afterwards was given twice, or a page left open."""


def sessionize(clicks: Frame, user: str = USER, gap: timedelta = timedelta(minutes=30)) -> pl.LazyFrame:
    """Number the sessions of a log of users: a new one begins with a new user or after more silence than
    ``gap``.

    Sessions are numbered from 0 in the order of user and time; the result is sorted by session and time,
    equal times as they came, and keeps the user's column. Session ids that begin anew every day are users
    too: ``sessionize(clicks, user="session_id")`` cuts them apart.

    Raises:
        SchemaError: a column is missing, or times are not as read_clicks gives them.
        ParameterError: the gap is no span of time, or not positive.

    >>> log = pl.DataFrame({"user_id": ["u", "u", "u"], "item_id": [1, 2, 3], "time": [0, 60, 7200]})
    >>> log = log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC")))
    >>> sessionize(log, gap=timedelta(minutes=30)).collect()["session_id"].to_list()
    [0, 0, 1]
    """
    gap, user = span("gap", gap), word("user", user)
    log = lazy(clicks)
    require(log, user, ITEM, TIME)
    require_times(log)
    ordered = sorted_rows(log.collect(), user).lazy()
    begins = pl.col(user).ne_missing(pl.col(user).shift()) | (pl.col(TIME).diff() > gap)
    number = begins.fill_null(value=True).cum_sum().cast(pl.Int64) - 1
    rest = [name for name in log.collect_schema().names() if name not in (SESSION, ITEM, TIME)]
    return ordered.select(number.alias(SESSION), ITEM, TIME, *rest)


def collapse_repeats(events: Frame) -> pl.LazyFrame:
    """Keep the first of consecutive clicks on one item within a session; sorted by session and
    time.

    Raises:
        SchemaError: a column is missing.

    >>> log = pl.DataFrame({"session_id": [1, 1, 1], "item_id": [7, 7, 8], "time": [1, 2, 3]})
    >>> collapse_repeats(log).collect()["item_id"].to_list()
    [7, 8]
    """
    log = lazy(events)
    require(log, *EVENT)
    ordered = sorted_rows(log.collect(), SESSION).lazy()
    same_session = pl.col(SESSION).eq_missing(pl.col(SESSION).shift())
    same_item = pl.col(ITEM).eq_missing(pl.col(ITEM).shift())
    first_row = pl.int_range(pl.len()) == 0
    return ordered.filter(first_row | ~(same_session & same_item))


def reused_ids(ordered: pl.DataFrame, silence: timedelta = LONG_SILENCE) -> str | None:
    """A warning, where session ids come again after hours of silence; the rows lie in order."""
    again = (pl.col(SESSION) == pl.col(SESSION).shift()) & (pl.col(TIME).diff() > silence)
    found = ordered.filter(again)
    if found.is_empty():
        return None
    hours = silence.total_seconds() / 3600
    return (
        f"{found[SESSION].n_unique():,} session ids come again after more than {hours:g} hours of silence "
        f"({found.height:,} times): the ids begin anew, or "
        'pages stay open. Cut them: sessionize(clicks, user="session_id"), or read_clicks(..., '
        'user="session_id") (--user session_id)'
    )
