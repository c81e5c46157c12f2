"""Axes have round marks and room for them; what is drawn lies where its value is."""

import re

import pytest

from recsys_gru.pages import Axis, Frame, area, card, columns, dots, legend, line, trend, upright


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 830, ["0", "200", "400", "600", "800", "1,000"]),
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0.00124, 0.0013, ["0.00124", "0.00126", "0.00128", "0.0013"]),
        (0, 3_100_000, ["0", "1M", "2M", "3M", "4M"]),
        (0, 28_000, ["0", "10k", "20k", "30k"]),
    ],
)
def test_a_linear_axis_embraces_its_values_with_few_round_marks(
    low: float, high: float, marks: list[str]
) -> None:
    axis = Axis.linear(low, high)
    assert axis.low <= low < high <= axis.high
    assert [label for _, label in axis.marks] == marks


def test_an_axis_of_one_value_has_room_around_it() -> None:
    axis = Axis.linear(7, 7)
    assert axis.low < axis.high
    assert len(axis.marks) >= 2


def test_counts_have_no_marks_between_whole_numbers() -> None:
    assert [label for _, label in Axis.linear(0, 1, whole=True).marks] == ["0", "1"]


@pytest.mark.parametrize("high", [1, 9, 250, 40_000, 3e9])
def test_a_logarithmic_axis_has_marks_for_any_span(high: float) -> None:
    axis = Axis.logarithmic(1, high)
    assert 2 <= len(axis.marks) <= 8
    assert next(label for _, label in axis.marks) == "1"
    assert axis.share(1) == pytest.approx(0)
    assert axis.share(high) <= 1


def test_a_value_outside_is_drawn_at_the_end() -> None:
    axis = Axis.logarithmic(1, 100)
    assert [axis.share(value) for value in (0, 1e9)] == [0, 1]
    assert axis.share(10) == pytest.approx(0.5)


def test_longer_labels_get_more_room() -> None:
    x = Axis.linear(0, 1)
    narrow, wide = (Frame(x, Axis(0, 1, [(0, label)])) for label in ("1", "1,234,567"))
    assert wide.left - narrow.left > 50


def test_marks_lie_where_their_values_are() -> None:
    frame = Frame(Axis.linear(0, 10), Axis.linear(0, 10))
    middle = f"{frame.across(5):.1f},{frame.up(5):.1f}"
    assert middle in line(frame, [0, 5], [0, 5])
    assert middle in area(frame, [0, 5], [0, 5])
    assert f'cx="{frame.across(5):.1f}" cy="{frame.up(5):.1f}"' in dots(frame, [5], [5])
    assert f'y="{frame.up(5):.1f}"' in columns(frame, [(0, 5)], [5])
    assert f"M{frame.across(5):.1f} " in upright(frame, 5)


def test_a_title_and_labels_are_escaped() -> None:
    frame = Frame(Axis(0, 1, [(0, "<x>")], "<name>"), Axis(0, 1, [(0, "<y>")], "<other>"))
    shown = card("<title>", frame, note="<note>", keys=["<key>"])
    assert not re.search(r"<(title|x|y|name|other|note|key)>", shown)


def test_one_line_needs_no_legend_and_several_have_one() -> None:
    assert "keys" not in trend("Loss", {"loss": [3.0, 2.0]})
    two = trend("Recall", {"recall@20": [0.2, 0.3], "recall@5": [0.1, 0.2]})
    assert legend(["recall@20", "recall@5"]) in two
    assert two.count("<polyline") == 2


@pytest.mark.parametrize("epochs", [2, 3, 10, 37, 1_000])
def test_the_first_and_the_last_epoch_are_about_marked(epochs: int) -> None:
    marks = re.findall(
        r'text-anchor="(?:middle|end)">([\d,]+)</text>', trend("Loss", {"loss": [1.0] * epochs})
    )
    assert "1" in marks
    last = max(int(mark.replace(",", "")) for mark in marks)
    assert epochs * 0.8 <= last <= epochs
