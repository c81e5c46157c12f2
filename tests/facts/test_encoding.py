"""Facts as labels and numbers, against a slow oracle; what is saved comes back."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_gru.errors import InputError, SchemaError
from recsys_gru.facts import CheckedItems, Encoding, ItemFacts, check_items
from recsys_gru.files.layout import require_values
from recsys_gru.sessions import Vocabulary
from tests.facts.oracles import slow_labels, slow_number, slow_vectors

KINDS = {"brand": "label", "tags": "labels", "title": "words", "price": "number", "vector": "vector"}
TEXTS = st.none() | st.text("aAbß 東京タนี่é-!", max_size=9)
NUMBERS = st.none() | st.integers(-40, 40).map(lambda whole: whole / 4)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.none() | st.lists(st.none() | st.sampled_from("abcd "), max_size=4),
        TEXTS,
        NUMBERS,
        st.none() | st.lists(st.integers(-8, 8).map(float), min_size=2, max_size=2),
    ),
    min_size=1,
    max_size=12,
)
TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "brand": pl.String, "tags": pl.List(pl.String), "title": pl.String, "price": pl.Float64,
    "vector": pl.List(pl.Float64),
}  # fmt: skip


def checked_of(rows: list[tuple[Any, ...]]) -> CheckedItems:
    frame = pl.DataFrame(rows, schema=TYPES, orient="row")
    return check_items(frame.with_row_index("item_id"), kinds=KINDS)


def vocabulary_of(items: list[int]) -> Vocabulary:
    return Vocabulary(pl.Series(items, dtype=pl.Int64), np.ones(len(items), dtype=np.int64))


def same(one: ItemFacts, other: ItemFacts) -> bool:
    arrays: list[tuple[Any, Any]] = list(zip(one, other, strict=True))
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in arrays)


def keyed(encoding: Encoding, facts: ItemFacts, item: int) -> dict[tuple[str, int], float]:
    """(column, key) -> weight of one item."""
    whose = [(part.column.name, int(key)) for part in encoding.parts for key in part.keys]
    inside = slice(facts.offsets[item], facts.offsets[item + 1])
    return {whose[k]: w for k, w in zip(facts.labels[inside], facts.weights[inside].tolist(), strict=True)}


@given(ROWS, st.data())
def test_labels_and_numbers_are_those_of_the_slow_oracle(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    checked = checked_of(rows)
    learn_from = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, unique=True))
    encoding = Encoding.of(checked, vocabulary_of([*learn_from, 10**6]))
    catalogue = [10**6, *range(len(rows))]
    facts = encoding.numbers_of(checked, vocabulary_of(catalogue))
    brand, tags, title, price, vector = map(list, zip(*rows, strict=True))
    parts = {part.column.name: part for part in encoding.parts}
    buckets = parts["title"].column.buckets
    expected_labels = {
        "brand": slow_labels("label", brand, learn_from),
        "tags": slow_labels("labels", tags, learn_from),
        "title": slow_labels("words", title, learn_from, buckets),
    }
    numbers = slow_number(price, learn_from, parts["price"].edges.tolist())
    vectors = slow_vectors(vector, learn_from)
    assert keyed(encoding, facts, 0) == {}
    assert not facts.numbers[0].any()
    for row in range(len(rows)):
        expected = {
            (name, key): w for name, all_rows in expected_labels.items() for key, w in all_rows[row].items()
        }
        number, band = numbers[row]
        missing = parts["price"].column
        if band is None and missing.missing:
            expected["price", missing.labels - 1] = 1.0
        if band is not None and missing.edges:
            expected["price", band] = 1.0
        if vector[row] is None and parts["vector"].column.missing:
            expected["vector", 0] = 1.0
        assert keyed(encoding, facts, row + 1) == pytest.approx(expected, rel=1e-6)
        assert facts.numbers[row + 1].tolist() == pytest.approx([number, *vectors[row]], rel=1e-5, abs=1e-6)
    for item in range(len(catalogue)):
        assert (np.diff(facts.labels[facts.offsets[item] : facts.offsets[item + 1]]) > 0).all()


@given(ROWS)
def test_a_saved_encoding_codes_as_before_and_its_arrays_are_as_the_layout_says(
    rows: list[tuple[Any, ...]],
) -> None:
    checked, vocabulary = checked_of(rows), vocabulary_of(list(range(len(rows))))
    encoding = Encoding.of(checked, vocabulary)
    state = encoding.state()
    lengths = {"L": encoding.n_labels, "V": encoding.width}
    assert {name: str(values.dtype) for name, values in state.items()} == {
        name: field.dtype for name, field in Encoding.layout().items()
    }
    require_values(Encoding.layout(), state, lengths)
    again = Encoding.restored(state)
    assert again.told().equals(encoding.told())
    assert same(again.numbers_of(checked, vocabulary), encoding.numbers_of(checked, vocabulary))


def test_the_number_of_a_label_does_not_depend_on_the_order_of_rows_or_on_the_process() -> None:
    frame = pl.DataFrame({"item_id": [1, 2, 3], "brand": ["x", "y", "z"], "size": [1, 5, 2]})
    vocabulary = vocabulary_of([3, 1, 2])
    one, other = check_items(frame), check_items(frame.reverse())
    assert same(
        Encoding.of(one, vocabulary).numbers_of(one, vocabulary),
        Encoding.of(other, vocabulary).numbers_of(other, vocabulary),
    )
    assert Encoding.of(one, vocabulary).parts[0].keys.tolist() == [
        3477338738360598916, 5717441744405258058, 6892360672924705551,
    ]  # fmt: skip


def test_even_bands_hold_about_a_tenth_of_the_items_each() -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"item_id": range(2_000), "price": rng.lognormal(3, 2, 2_000)})
    checked, vocabulary = check_items(frame), vocabulary_of(list(range(2_000)))
    facts = Encoding.of(checked, vocabulary).numbers_of(checked, vocabulary)
    assert np.bincount(facts.labels).tolist() == [200] * 10
    assert facts.numbers.max() == 5


def test_what_the_model_does_not_know_is_counted_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    vocabulary = vocabulary_of([1, 2])
    encoding = Encoding.of(check_items({"item_id": [1, 2], "brand": ["x", "y"]}), vocabulary)
    later = encoding.check({"item_id": [3, 4], "brand": ["z", "x"]})
    facts = encoding.numbers_of(later, vocabulary_of([3, 4]))
    assert facts.offsets.tolist() == [0, 0, 1]
    assert encoding.unknown_in(later) == {"brand": 1}
    assert "does not know are left out (brand: 1)" in caplog.text


def test_facts_of_other_columns_kinds_and_lengths_are_refused_in_words() -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "size": [1.0, 2.0], "vector": [[1.0, 2.0], [3.0, 4.0]]})
    encoding = Encoding.of(check_items(frame), vocabulary_of([1, 2]))
    with pytest.raises(SchemaError, match="missing or unknown: colour, vector"):
        encoding.check(frame.drop("vector").with_columns(colour=pl.lit("red")))
    with pytest.raises(SchemaError, match="'size' cannot be number: it is List"):
        encoding.check(frame.with_columns(size=pl.lit(["red"])))
    longer = pl.DataFrame({"item_id": [3, 4], "size": [1.0, 2.0], "vector": [[1.0, 2.0, 3.0], None]})
    assert encoding.check(longer).counts["wrong length of vector"] == 1
    with pytest.raises(SchemaError, match="expected facts of the kinds"):
        encoding.numbers_of(check_items(frame.drop("size")), vocabulary_of([1]))


def test_facts_of_none_of_the_items_are_refused_with_ids_of_both() -> None:
    checked = check_items({"item_id": [1, 2], "brand": ["x", "y"]})
    with pytest.raises(
        InputError, match=r"none of the 2 items with facts is in the log: .* \[1, 2\].* \[8\]"
    ):
        Encoding.of(checked, vocabulary_of([8]))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("columns", lambda a: a[:-1]),
        ("columns", lambda a: a + 300),
        ("columns", lambda a: np.array([*b"[]"], a.dtype)),
        ("keys", lambda a: a[:-1]),
        ("keys", lambda a: a[::-1]),
        ("edges", lambda a: a[::-1]),
        ("scales", lambda a: a * 0),
        ("means", lambda a: np.append(a, 1.0)),
    ],
)
def test_crafted_arrays_are_refused(name: str, change: Any) -> None:  # noqa: ANN401 - any change of an array
    frame = pl.DataFrame({"item_id": [1, 2, 3], "brand": ["x", "y", "z"], "size": [1, 2, 3]})
    state = Encoding.of(check_items(frame), vocabulary_of([1, 2, 3])).state()
    state[f"facts/{name}"] = change(state[f"facts/{name}"])
    with pytest.raises(InputError):
        Encoding.restored(state)


@pytest.mark.parametrize(
    "lie", [{"kind": "word"}, {"labels": 2}, {"edges": 1}, {"buckets": 3}, {"missing": 2}]
)
def test_columns_that_do_not_hold_together_are_refused(lie: dict[str, Any]) -> None:
    encoding = Encoding.of(check_items({"item_id": [1, 2, 3], "size": [1, 2, 3]}), vocabulary_of([1, 2, 3]))
    state = encoding.state()
    text = bytes(state["facts/columns"].astype(np.uint8)).decode()
    for key, value in lie.items():
        old = '"number"' if key == "kind" else str(getattr(encoding.parts[0].column, key))
        text = text.replace(f'"{key}": {old}', f'"{key}": ' + (f'"{value}"' if key == "kind" else str(value)))
    state["facts/columns"] = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    with pytest.raises(InputError):
        Encoding.restored(state)


@pytest.mark.parametrize("values", [[1e308, -1e308, 0.0], [[1e308, 1.0], [-1e308, 1.0], [0.0, 1.0]]])
def test_numbers_too_large_to_be_standardised_are_refused_and_later_ones_stay_finite(
    values: list[Any],
) -> None:
    vocabulary = vocabulary_of([1, 2, 3])
    huge = check_items({"item_id": [1, 2, 3], "fact": values})
    with pytest.raises(InputError, match="numbers of the column 'fact' are too large"):
        Encoding.of(huge, vocabulary)
    usual = [[1.0, 2.0]] * 3 if isinstance(values[0], list) else [1.0, 2.0, 3.0]
    encoding = Encoding.of(check_items({"item_id": [1, 2, 3], "fact": usual}), vocabulary)
    assert np.isfinite(encoding.numbers_of(huge, vocabulary).numbers).all()
