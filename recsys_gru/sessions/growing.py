"""A catalogue that goes on: newer sessions numbered by the old items and, after them, the new ones."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.sessions.packed import Sessions
from recsys_gru.sessions.vocabulary import Vocabulary


def renumbered(
    old: Vocabulary, newer: Sessions, keep: NDArray[np.bool_] | None = None
) -> tuple[Sessions, NDArray[np.int64]]:
    """The newer sessions in a catalogue of the old items and, after them, the new ones, and the old numbers
    (K,) of its first items.

    Support counts old clicks and the counted new ones together. Of the old items (N,) that the newer sessions
    lack, only those to `keep` stay; all of them if not given.

    >>> log = pl.DataFrame({"session_id": [1, 1], "item_id": ["x", "b"], "time": [1, 2]})
    >>> newer = Sessions.from_events(log.with_columns(pl.from_epoch("time").cast(pl.Datetime("us", "UTC"))))
    >>> sessions, kept = renumbered(Vocabulary(pl.Series(["a", "b"]), np.array([3, 1])), newer)
    >>> sessions.vocabulary.ids.to_list(), sessions.vocabulary.support.tolist(), sessions.items.tolist()
    (['a', 'b', 'x'], [3, 2, 1], [2, 1])
    """
    found = old.numbers(newer.vocabulary.ids)  # (n,) old number of each newer item, -1 where new
    kept = np.arange(len(old))
    if keep is not None:
        keep = keep.copy()
        keep[found[found >= 0]] = True
        kept = _moved_up(keep)
    place = np.full(len(old), -1, np.int64)
    place[kept] = np.arange(len(kept))
    new = found < 0
    number = np.where(new, 0, place[found])
    number[new] = len(kept) + np.arange(int(new.sum()))

    items = number[newer.items].astype(np.int32)
    support = np.concatenate([old.support[kept], np.zeros(int(new.sum()), np.int64)])
    support += np.bincount(items[newer.counted], minlength=len(support))
    ids = pl.concat(
        [
            old.ids if len(kept) == len(old) else old.ids.gather(kept),
            newer.vocabulary.ids.filter(pl.Series(new)),
        ]
    )
    names = _joined(old, kept, newer.vocabulary, new)
    vocabulary = Vocabulary(ids, support, names)
    if len(kept) == len(old):
        vocabulary.going_on(old)
    return replace(newer, items=items, vocabulary=vocabulary), kept


def _joined(
    old: Vocabulary, kept: NDArray[np.int64], newer: Vocabulary, new: NDArray[np.bool_]
) -> pl.Series | None:
    """The names of the old items that are kept and, after them, of the new ones."""
    if old.names is None and newer.names is None:
        return None
    return pl.concat([old.names_or_nulls.gather(kept), newer.names_or_nulls.filter(pl.Series(new))])


def _moved_up(keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The old number (K,) of each item that is kept: the last ones take the places of those that are not, so
    that no more rows move than are dropped.

    >>> _moved_up(np.array([True, False, True, True, True])).tolist()
    [0, 4, 2, 3]
    """
    kept = np.arange(int(keep.sum()))
    gaps = np.flatnonzero(~keep[: len(kept)])
    kept[gaps] = np.flatnonzero(keep[len(kept) :])[: len(gaps)] + len(kept)
    return kept
