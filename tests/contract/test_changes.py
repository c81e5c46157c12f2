"""A model that is saved beside an older one is the model that it is, to the bit, and no less guarded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from recsys_gru.contract import Bundle, manifest, read_bundle, read_manifest, write_bundle
from recsys_gru.contract.changes import changes_between
from recsys_gru.errors import BundleError
from recsys_gru.files import arrays_of, write_arrays
from recsys_gru.sessions import Vocabulary

Arrays = dict[str, NDArray[np.generic]]
FILES = ("changes.safetensors", "manifest.json", "weights.safetensors")


def bundle(arrays: Arrays, items: int = 100) -> Bundle:
    ids = pl.Series([f"item {number}" for number in range(items)])
    return Bundle("Markov", {}, arrays, Vocabulary(ids, np.ones(items, np.int64)), "print")


def older() -> Arrays:
    rng = np.random.default_rng(1)
    return {
        "table": rng.random((100, 40)).astype(np.float32),
        "last": np.arange(100),
        "recent": rng.random(100),
        "one": np.ones(1),
        "none": np.empty((0, 3), np.float32),
    }


def newer(rows: int = 5, more: int = 2) -> Arrays:
    """Some rows are others, with NaN and minus 0, some lie behind; of another array most is another."""
    arrays = older()
    table: NDArray[np.float32] = arrays["table"]  # type: ignore[assignment]
    table[3 : 3 + rows] += 1
    table[50, :2] = np.nan, -0.0
    arrays["table"] = np.concatenate([table, np.ones((more, 40), np.float32)])
    arrays["recent"] = older()["recent"] / 2  # type: ignore[operator]
    return arrays


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "base", bundle(older()))
    write_bundle(tmp_path / "model", bundle(newer()), tmp_path / "base")
    return tmp_path / "model"


def same(found: Bundle, wanted: Arrays) -> bool:
    return found.weights.keys() == wanted.keys() and all(
        (values.dtype, values.shape, values.tobytes())
        == (wanted[name].dtype, wanted[name].shape, wanted[name].tobytes())
        for name, values in found.weights.items()
    )


def test_a_model_told_by_its_changes_is_equal_to_the_bit(folder: Path) -> None:
    assert same(read_bundle(folder), newer())
    assert read_manifest(folder).format == 3
    changes, _ = arrays_of(bytearray((folder / "changes.safetensors").read_bytes()))
    assert changes["rows/table"].tolist() == [3, 4, 5, 6, 7, 50, 100, 101]
    assert sorted(changes) == ["rows/table", "values/table", "whole/recent"]


def test_what_is_as_it_was_is_the_same_file_and_outlives_the_base(folder: Path) -> None:
    for name in ("weights.safetensors", "vocabulary.parquet"):
        assert (folder / name).samefile(folder.with_name("base") / name)
    shutil.rmtree(folder.with_name("base"))
    assert same(read_bundle(folder), newer())


def test_the_next_one_goes_on_from_the_same_base_until_half_is_another(folder: Path) -> None:
    second, third = folder.with_name("second"), folder.with_name("third")
    write_bundle(second, bundle(newer(9)), folder)
    assert (second / "weights.safetensors").samefile(folder / "weights.safetensors")
    assert same(read_bundle(second), newer(9))
    write_bundle(third, bundle(newer(60)), second)
    assert read_manifest(third).format == 2
    assert same(read_bundle(third), newer(60))
    write_bundle(folder.with_name("whole"), bundle(newer(60)))
    for path in third.iterdir():
        assert path.read_bytes() == (folder.with_name("whole") / path.name).read_bytes()


def test_a_model_may_be_saved_over_its_base(folder: Path) -> None:
    base = folder.with_name("base")
    write_bundle(base, bundle(newer()), base)
    assert same(read_bundle(base), newer())


@pytest.mark.parametrize(
    "harm", [shutil.rmtree, lambda base: (base / "weights.safetensors").write_bytes(b"")]
)
def test_without_a_sound_base_all_is_written(folder: Path, harm: Callable[[Path], object]) -> None:
    base, again = folder.with_name("base"), folder.with_name("again")
    shutil.copytree(base, folder.with_name("copy"))
    harm(folder.with_name("copy"))
    write_bundle(again, bundle(newer()), folder.with_name("copy"))
    assert read_manifest(again).format == 2
    assert same(read_bundle(again), newer())


def test_where_the_disk_knows_no_links_files_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    write_bundle(folder, bundle(newer(6)), folder.with_name("base"))
    assert same(read_bundle(folder), newer(6))
    assert (folder / "weights.safetensors").stat().st_nlink == 1


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_a_cut_file_and_a_missing_one_are_named(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).unlink()  # the base keeps its own
    with pytest.raises(BundleError, match=name):
        read_bundle(folder)
    for place in range(0, len(whole), max(1, len(whole) // 97)):
        flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for damaged in (flipped, whole[:place]):
            (folder / name).write_bytes(damaged)
            with pytest.raises(BundleError, match=name):
                read_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows/table": np.array([1, 1])}, "not those of the base's array"),
        ({"rows/table": np.array([-1, 1])}, "not those of the base's array"),
        ({"rows/table": np.array([1, 101])}, "not those of the base's array"),
        ({"rows/table": np.array([1, 2, 3])}, "not those of the base's array"),
        ({"rows/table": np.array([1, 2], np.int32)}, "not those of the base's array"),
        ({"rows/other": np.array([1, 2])}, "none of an array"),
        ({"odd/table": np.array([1, 2])}, "none of an array"),
        ({"rows/last": np.array([1, 2])}, "no values"),
        ({"whole/table": np.ones((100, 40), np.float32), "rows/table": np.array([1, 2])}, "too many"),
    ],
)
def test_changes_that_are_none_of_the_base_are_refused(folder: Path, changes: Arrays, said: str) -> None:
    crafted = {"values/table": np.ones((2, 40), np.float32), "rows/table": np.array([1, 2])} | changes
    with (folder / "changes.safetensors").open("wb") as file:
        write_arrays(file.write, crafted)
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["digest"]
    data = (folder / "changes.safetensors").read_bytes()
    content["files"]["changes.safetensors"] = vars(manifest.FileSeal.of(data))
    content["digest"] = manifest.digest_of(content)
    (folder / "manifest.json").write_bytes(manifest.canonical(content))
    with pytest.raises(BundleError, match=said):
        read_bundle(folder)


def test_arrays_of_other_names_types_or_widths_make_a_new_base() -> None:
    base = older()
    assert changes_between(base, base) == {}
    assert changes_between(base, {**base, "more": np.ones(1)}) is None
    assert changes_between(base, {**base, "table": base["table"].astype(np.float64)}) is None
    assert changes_between(base, {**base, "table": base["table"][:50]}) is None


@pytest.mark.parametrize("kind", ["<f4", "<i8"])
@pytest.mark.parametrize("shape", [(5_000,), (5_000, 1), (5_000, 70), (5_000, 0), (40, 2, 2)])
def test_changed_rows_are_those_whose_bytes_are_others(kind: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(shape))
    base = np.abs(rng.standard_normal(shape) * 9).astype(kind)
    now = base.copy()
    now[:: max(5, shape[0] // 40)] *= -1  # also 0, which as a float becomes another one of the same value
    found = changes_between({"a": base}, {"a": now})
    assert found is not None
    wanted = [row for row in range(shape[0]) if base[row].tobytes() != now[row].tobytes()]
    rows, picked = found.get("rows/a", np.empty(0)), found.get("values/a", now[:0])
    assert [*rows] == wanted
    assert picked.shape == now[wanted].shape
    assert b"".join(part.tobytes() for part in picked) == now[wanted].tobytes()
