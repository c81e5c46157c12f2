"""Events to what models take: item numbers, packed sessions, training and test parts.

In it: vocabulary (ids to numbers), names (what people call the items), ordered (events in order), packed
(`Sessions`, where Polars ends), parts (of them, worked on apart), files (the same on disk), data (whatever a
caller has, packed), seals (a prepared log held against its digests, brought from an object store), asked (ids
and sessions as callers have them), filter (rare items and short sessions), split, doctor (what a split did),
fingerprint, growing (a catalogue that goes on), stretches (a log as a stream). Used by everything that fits,
ranks or measures. It must never import a model, torch, or a room that works on whole logs (preparation,
exploration).
"""

from recsys_gru.clicks.check import TIED_LIMIT, tied_warning
from recsys_gru.sessions.asked import asked_numbers, asked_sessions
from recsys_gru.sessions.data import as_sessions, is_prepared
from recsys_gru.sessions.doctor import Diagnosis, diagnose_split
from recsys_gru.sessions.files import read_sessions, write_sessions
from recsys_gru.sessions.filter import filter_sessions
from recsys_gru.sessions.fingerprint import session_keys
from recsys_gru.sessions.growing import renumbered
from recsys_gru.sessions.ordered import GAPS, HOURS, gap_label
from recsys_gru.sessions.packed import SessionData, Sessions, microseconds, moment_of
from recsys_gru.sessions.parts import parts_of, within
from recsys_gru.sessions.split import (
    Split,
    ThreeParts,
    split_at,
    split_by_time,
    split_rolling,
    split_three,
    tail_cut,
)
from recsys_gru.sessions.stretches import Stretches
from recsys_gru.sessions.vocabulary import Vocabulary

__all__ = [
    "GAPS",
    "HOURS",
    "TIED_LIMIT",
    "Diagnosis",
    "SessionData",
    "Sessions",
    "Split",
    "Stretches",
    "ThreeParts",
    "Vocabulary",
    "as_sessions",
    "asked_numbers",
    "asked_sessions",
    "diagnose_split",
    "filter_sessions",
    "gap_label",
    "is_prepared",
    "microseconds",
    "moment_of",
    "parts_of",
    "read_sessions",
    "renumbered",
    "session_keys",
    "split_at",
    "split_by_time",
    "split_rolling",
    "split_three",
    "tail_cut",
    "tied_warning",
    "within",
    "write_sessions",
]
