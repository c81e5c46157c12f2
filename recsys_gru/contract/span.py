"""The time that a model has learned from: kept with it, so that a test on the same clicks is noticed."""

from collections.abc import Mapping

from recsys_gru.sessions import Sessions

Span = tuple[int, int]
"""First and last event, microseconds since 1970 UTC."""
NOTES = ("learned_from", "learned_until")
"""Of a saved model: the span, as whole numbers in text."""


def span_of(sessions: Sessions, before: Span | None) -> Span | None:
    """The span of the sessions, together with what was learned before."""
    if not sessions.n_events:
        return before
    first, last = int(sessions.times.min()), int(sessions.times.max())
    return (first, last) if before is None else (min(first, before[0]), max(last, before[1]))


def with_span(span: Span | None, notes: Mapping[str, str] | None) -> Mapping[str, str]:
    """The notes of a saved model with the span among them.

    >>> span_in(with_span((3, 5), {"made": "in a test"}))
    (3, 5)
    """
    if span is None or not isinstance(notes, Mapping | None):  # what are no notes is refused by the bundle
        return {} if notes is None else notes
    return dict(zip(NOTES, map(str, span), strict=True)) | dict(notes or {})


def span_in(notes: Mapping[str, str]) -> Span | None:
    """The span in the notes of a saved model; None for one of before there were such notes."""
    try:
        first, last = (int(notes[name]) for name in NOTES)
    except (KeyError, ValueError):
        return None
    return first, last
