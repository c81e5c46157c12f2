"""How much of a long session is looked at: an answer costs no more, however long a session goes on."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import spread
from recsys_gru.sessions import Sessions

LONGEST = 512
"""Clicks of a session that are looked at, at most; of a longer one the last half of so many, or more."""
HALF = LONGEST // 2

Ints = NDArray[np.int64]


def windows(sessions: Sessions, ends: Ints) -> tuple[Sessions, Ints]:
    """Sessions of at most LONGEST clicks (or one more, that comes next) in which prefixes, told by the places
    of their last events (ascending), are as much as is looked at of them; and those places in these.

    A prefix of more begins at a multiple of HALF, so that neighbouring ones begin together: walking through
    all prefixes of a session takes twice its length at most.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> sessions = Sessions.from_events(clicks_of("ab" * 400))
    >>> cut, places = windows(sessions, np.array([500, 798]))
    >>> cut.lengths.tolist(), places.tolist()
    ([502, 288], [500, 788])
    """
    if sessions.lengths.max(initial=0) <= LONGEST:
        return sessions, ends
    owners = np.searchsorted(sessions.offsets, ends, side="right") - 1
    firsts = sessions.offsets[owners]
    begins = firsts + HALF * np.maximum((ends - firsts) // HALF - 1, 0)
    changes = np.flatnonzero(np.append(True, (begins[1:] != begins[:-1]) | (owners[1:] != owners[:-1])))
    last = np.append(changes[1:], len(ends)) - 1
    begin, owner = begins[changes], owners[changes]
    lengths = np.minimum(ends[last] + 2, sessions.offsets[owner + 1]) - begin
    events, offsets = spread(begin, lengths), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    cut = replace(
        sessions,
        items=sessions.items[events],
        offsets=offsets,
        times=sessions.times[events],
        ids=sessions.ids.gather(owner),
        unknown=sessions.unknown.clear(),
        moment=None if sessions.moment is None else sessions.moment[events],
    )
    return cut, ends - np.repeat(begin - offsets[:-1], last - changes + 1)
