"""A small table for people: as text where it is printed, as HTML where a notebook shows it."""

from collections.abc import Sequence
from html import escape

Rows = Sequence[Sequence[str]]


def as_text(head: Sequence[str], rows: Rows) -> str:
    """Columns under their heads, all to the right.

    >>> print(as_text(["k", "recall"], [["5", "0.1000"]]))
    k recall
    5 0.1000
    """
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = (
        " ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def as_html(head: Sequence[str], rows: Rows, notes: Sequence[str] = ()) -> str:
    """The same for a notebook, with the notes below it.

    >>> as_html(["k"], [["5"]], ["2 events"])
    '<table><thead><tr><th>k</th></tr></thead><tbody><tr><td>5</td></tr></tbody></table><p>2 events</p>'
    """
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{told}"
