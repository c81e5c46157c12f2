"""What every page is made of: pieces of HTML, charts in SVG, one style sheet for phone, desk and night.

In it: html (pieces, each escaping what it is given), charts (axes and marks), page.css. Used by exploration,
evaluation and tracking, whose pages are whole in themselves: no script, no file from elsewhere. It knows
numbers and text only: it must never import another room.
"""

from recsys_gru.pages.charts import Axis, Frame, area, card, columns, dots, line, trend, upright
from recsys_gru.pages.html import (
    Html,
    bars,
    chips,
    curves,
    document,
    facts,
    legend,
    section,
    table,
    text,
    tiles,
)

__all__ = [
    "Axis",
    "Frame",
    "Html",
    "area",
    "bars",
    "card",
    "chips",
    "columns",
    "curves",
    "document",
    "dots",
    "facts",
    "legend",
    "line",
    "section",
    "table",
    "text",
    "tiles",
    "trend",
    "upright",
]
