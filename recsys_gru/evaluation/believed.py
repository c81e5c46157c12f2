"""The part of the report page that tells how far the probabilities can be believed."""

import polars as pl

from recsys_gru.evaluation.reliability import Reliability
from recsys_gru.pages import Axis, Frame, Html, card, dots, line, section, table

SQUARE = 400
"""Height of the chart that makes both axes about as long."""


def believed(found: Reliability) -> Html:
    """A curve of what came over what was promised, a table of the same, and the figures of all."""
    told = (
        f"What the first {found.k} items were given before each of {found.clicks:,} clicks of "
        f"{found.sessions:,} sessions, beside how often they came; unknown items never can. A list's "
        f"probabilities promise recall@{found.k} of {found.promised:.3f}, {found.kept:.3f} came. Expected "
        f"calibration error: {found.calibration_error:.4f}."
    )
    drawn, listed = _chart(found.bins), _table(found.bins)
    return section("How far to believe the probabilities", told, f'<div class="pair">{drawn}{listed}</div>')


def _chart(bins: pl.DataFrame) -> Html:
    values = [*bins["probability"], *bins["came"], *bins["came_low"].drop_nulls()]
    low = max(min(value for value in values if value > 0), 1e-6)
    x, y = (Axis.logarithmic(low, 1.0, name) for name in ("probability given", "share that came"))
    frame = Frame(x, y, SQUARE)
    spans = [
        line(frame, (row["probability"],) * 2, (row["came_low"], row["came_high"]), "span")
        for row in bins.drop_nulls().iter_rows(named=True)
    ]
    return card(
        "Probability given and share that came",
        frame,
        line(frame, (low, 1.0), (low, 1.0), "law"),
        *spans,
        line(frame, bins["probability"], bins["came"], "span"),
        dots(frame, bins["probability"], bins["came"]),
        note="Dashed: as it should be; below it the model promises too much. Upright: 95 % intervals. "
        "Both axes are logarithmic.",
    )


def _table(bins: pl.DataFrame) -> Html:
    rows = [
        [f"{low:g} – {high:g}", f"{items:,}", f"{probability:.4f}", f"{came:.4f}"]
        for low, high, items, probability, came in bins.select(pl.exclude("came_low", "came_high")).rows()
    ]
    return table(["probability", "items shown", "mean", "came"], rows, words=0)
