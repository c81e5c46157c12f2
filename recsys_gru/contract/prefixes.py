"""Which events of packed sessions end a prefix that is to be scored."""

import numpy as np
from numpy.typing import NDArray

from recsys_gru.sessions import Sessions


def prefix_ends(sessions: Sessions, every: bool) -> NDArray[np.int64]:
    """Indices (Q,) into ``sessions.items``, ascending.

    With ``every`` each event that has a next event in its session, if that one is counted and no context;
    without it the last event of each non-empty session.

    >>> from recsys_gru.contract.answers import one_session
    >>> import polars as pl
    >>> from recsys_gru.clicks import Vocabulary
    >>> vocabulary = Vocabulary(pl.Series("item_id", ["a", "b"]), np.array([2, 1]))
    >>> walked = one_session(np.array([0, 1, 0], dtype=np.int32), vocabulary)
    >>> prefix_ends(walked, every=True).tolist(), prefix_ends(walked, every=False).tolist()
    ([0, 1], [2])
    """
    if not every:
        return sessions.ends
    has_next = np.ones(sessions.n_events, dtype=np.bool_)
    has_next[sessions.ends] = False
    if sessions.since is not None:
        has_next[:-1] &= sessions.counted[1:]
    return np.flatnonzero(has_next)
