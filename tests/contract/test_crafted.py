"""A saved model with right seals that no fit has made is refused before anything believes it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

import recsys_gru as rg
from recsys_gru.contract import manifest
from recsys_gru.errors import BundleError
from tests.contract.fuzz import rounds, sealed
from tests.contract.suite import FACTORIES, log

Array = NDArray[np.generic]
WRONG: dict[str, Callable[[Array], Array]] = {
    "half of it": lambda a: a[: len(a) // 2],
    "one row, which would be spread over all": lambda a: a[:1],
    "nothing": lambda a: a[:0],
    "one more": lambda a: np.concatenate([a, a[-1:]]),
    "another axis": lambda a: a[..., None],
    "one number": lambda a: a.reshape(-1)[0],
    "numbers of another width": lambda a: a.astype(f"{a.dtype.kind}{12 - a.dtype.itemsize}"),
    "numbers of another kind": lambda a: a.astype("f4" if a.dtype.kind == "i" else "i4"),
    "no numbers, or negative": lambda a: np.full_like(a, np.nan if a.dtype.kind == "f" else -1),
    "infinite, or far beyond": lambda a: np.full_like(a, np.inf if a.dtype.kind == "f" else 2**31 - 1),
}
FREE = {
    (name, what)
    for what in WRONG
    for name, harmless in {
        "places": ("infinite",),
        "keys": ("infinite", "no numbers"),
        "recency/last": ("infinite", "no numbers"),
        "recency/seen": ("infinite",),
        **{f"{member}{name}": ("infinite",) for name in ("hits", "chances") for member in ("", "2/")},
    }.items()
    if what.startswith(harmless)
}
"""Arrays of whole numbers that can be any, or any from 0 on."""
ENDLESS = "[" * 100_000 + "]" * 100_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model, saved."""
    place = tmp_path_factory.mktemp("models")
    for name, factory in FACTORIES.items():
        factory().fit(log()).save(place / name)
    return place


def load(folder: Path, kind: str) -> rg.Recommender:
    model: rg.Recommender = getattr(rg, kind).load(folder)
    return model


def arrays_in(folder: Path) -> dict[str, Array]:
    return {name: a.copy() for name, a in tensors_of((folder / "weights.safetensors").read_bytes()).items()}


def write_arrays(folder: Path, arrays: dict[str, Array]) -> None:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    (folder / "weights.safetensors").write_bytes(bytes_of(whole))
    sealed(folder)


@pytest.mark.parametrize("kind", FACTORIES)
def test_every_array_is_looked_at(home: Path, tmp_path: Path, kind: str) -> None:
    folder = Path(shutil.copytree(home / kind, tmp_path / "model"))
    whole = arrays_in(folder)
    for name, array in whole.items():
        for what, wrong in WRONG.items():
            if (name, what) in FREE:
                continue
            with np.errstate(all="ignore"):
                bent = wrong(array)
            write_arrays(folder, {**whole, name: bent})
            with pytest.raises(BundleError, match=r"weights\.safetensors"):
                load(folder, kind)
    write_arrays(folder, whole)
    load(folder, kind)


@pytest.mark.parametrize("kind", FACTORIES)
def test_arrays_that_are_missing_or_do_not_belong_are_named(home: Path, tmp_path: Path, kind: str) -> None:
    folder = Path(shutil.copytree(home / kind, tmp_path / "model"))
    whole = arrays_in(folder)
    needed = next(name for name, field in (FACTORIES[kind]()._layout() or {}).items() if not field.optional)
    write_arrays(folder, {name: array for name, array in whole.items() if name != needed})
    with pytest.raises(BundleError, match=rf"missing or unknown: .*{needed}"):
        load(folder, kind)
    write_arrays(folder, {**whole, "stowaway": np.zeros(3)})
    with pytest.raises(BundleError, match=r"missing or unknown: .*stowaway"):
        load(folder, kind)


@pytest.mark.parametrize("kind", FACTORIES)
def test_every_model_tells_what_its_arrays_are(kind: str) -> None:
    model = FACTORIES[kind]().fit(log())
    layout = model._layout()
    assert layout is not None
    assert set(model._state()) <= set(layout)
    assert {name for name, field in layout.items() if not field.optional} <= set(model._state())


@pytest.mark.parametrize("kind", ["Markov", "VSKNN"])
def test_places_that_do_not_rise_or_do_not_end_at_the_end_are_refused(
    home: Path, tmp_path: Path, kind: str
) -> None:
    folder = Path(shutil.copytree(home / kind, tmp_path / "model"))
    whole = arrays_in(folder)
    offsets = whole["offsets"]
    for bent in (offsets[::-1], np.roll(offsets, 1), offsets - 1, offsets + 1, offsets * 2, offsets * 0):
        write_arrays(folder, {**whole, "offsets": bent})
        with pytest.raises(BundleError, match="offsets"):
            load(folder, kind)
    for bent in (whole["items"][::-1], whole["items"] * 0, whole["items"] + len(log()["item_id"].unique())):
        write_arrays(folder, {**whole, "items": bent})
        with pytest.raises(BundleError, match="items"):
            load(folder, kind)


def test_the_two_arrays_of_a_longer_matrix_must_be_as_long(home: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(home / "VSKNN", tmp_path / "model"))
    whole = arrays_in(folder)
    write_arrays(folder, {**whole, "ages": whole["ages"][:-1]})
    with pytest.raises(BundleError, match="ages"):
        load(folder, "VSKNN")
    write_arrays(folder, {**whole, "ages": whole["ages"][::-1]})
    with pytest.raises(BundleError, match="falling"):
        load(folder, "VSKNN")


@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"item_id": [1, 2], "support": [3, -1]}),
        pl.DataFrame({"item_id": [1, 1], "support": [3, 1]}),
        pl.DataFrame({"item_id": [1, None], "support": [3, 1]}),
        pl.DataFrame({"item_id": [1, 2], "support": [3, None]}),
        pl.DataFrame({"item_id": [1, 2], "support": [2**62, 2**62]}),
        pl.DataFrame({"item_id": [1.5, 2.5], "support": [3, 1]}),
        pl.DataFrame({"item_id": [1, 2], "support": [3.0, 1.0]}),
        pl.DataFrame({"support": [3, 1], "item_id": [1, 2]}),
        pl.DataFrame({"item_id": [1, 2], "support": [3, 1], "more": [0, 0]}),
        pl.DataFrame({"item_id": [[1], [2]], "support": [3, 1]}),
        pl.DataFrame({"item_id": [], "support": []}, schema={"item_id": pl.Int64, "support": pl.Int64}),
        pl.select(item_id=pl.lit(7, pl.Int64).repeat_by(1 << 20).explode(), support=pl.lit(1, pl.Int64)),
    ],
    ids=["negative", "twice", "null", "no support", "too many", "floats", "float support", "order", "more",
         "lists", "none", "a small file of a million rows"],
)  # fmt: skip
def test_a_vocabulary_that_cannot_be_is_refused(home: Path, tmp_path: Path, table: pl.DataFrame) -> None:
    folder = Path(shutil.copytree(home / "Popularity", tmp_path / "model"))
    table.write_parquet(folder / "vocabulary.parquet")
    sealed(folder)
    with pytest.raises(BundleError, match=r"vocabulary\.parquet"):
        load(folder, "Popularity")


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": None},
        {"parameters": []},
        {"parameters": {"reach": None}},
        {"parameters": {"reach": "far"}},
        {"parameters": {"reach": -1}},
        {"parameters": {"reach": True}},
        {"parameters": {"__class__": 1}},
        {"metrics": None},
        {"metrics": {"recall": "high"}},
        {"metadata": [1]},
        {"metadata": {"a": {"b": 1}}},
        {"fingerprint": None},
        {"fingerprint": 5},
        {"libraries": {"numpy": 2}},
        {"files": None},
        {"files": {}},
        {"files": {"weights.safetensors": {"size": 1}}},
        {"files": {"../../etc/passwd": {"size": 1, "sha256": "x"}}},
        {"model": None},
        {"model": ["SequentialRules"]},
        {"model": "errors"},
        {"format": 0},
        {"format": -1},
        {"format": True},
        {"format": 1.0},
        {"format": "1"},
        {"format": None},
        {"format": 10**40},
        {"more": 1},
    ],
    ids=str,
)
def test_a_manifest_that_cannot_be_is_refused(home: Path, tmp_path: Path, change: dict[str, object]) -> None:
    folder = Path(shutil.copytree(home / "SequentialRules", tmp_path / "model"))
    content = json.loads((folder / "manifest.json").read_bytes()) | change
    content.pop("digest")
    content["digest"] = manifest.digest_of(content)
    (folder / "manifest.json").write_bytes(manifest.canonical(content))
    with pytest.raises(BundleError):
        load(folder, "SequentialRules")


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "5", "[]", '"manifest"', "{}", "{", '{"digest":null}', ENDLESS, '{"a":' * 100_000,
        f'{{"digest":"","parameters":{ENDLESS}}}', '{"digest":"a","digest":"a"}', '{"digest":NaN}',
        '{"digest":1e999}', '{"digest":' + "9" * 5000 + "}", "\ufeff{}", "\x00" * 100,
    ],
    ids=range(17),
)  # fmt: skip
def test_a_manifest_that_is_no_object_is_refused(home: Path, tmp_path: Path, text: str) -> None:
    folder = Path(shutil.copytree(home / "Markov", tmp_path / "model"))
    (folder / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        load(folder, "Markov")


@pytest.mark.parametrize(
    "change",
    [{"layers": [2**40]}, {"layers": [10**9, 10**9]}, {"layers": 5}, {"layers": [True]}, {"layers": []},
     {"layers": None}, {"cell": "lstm"}, {"cell": []}, {"optimizer": None}, {"learning_rate": "NaN"},
     {"constrained_embedding": False, "embedding": 2**50}, {"device": {}}, {"loss": None}],
    ids=str,
)  # fmt: skip
def test_a_network_of_other_hyper_parameters_is_refused_before_it_is_made(
    home: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = Path(shutil.copytree(home / "GRU4Rec", tmp_path / "model"))
    content = json.loads((folder / "manifest.json").read_bytes())
    content["parameters"] |= change
    sealed(folder, content)
    with pytest.raises(BundleError):
        load(folder, "GRU4Rec")


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\0" * 8, (2**63).to_bytes(8, "little"), (10).to_bytes(8, "little") + b"{}",
        *((len(text)).to_bytes(8, "little") + text for text in (
            b"{}", b"[]", ENDLESS.encode(), b'{"scores":null}',
            b'{"scores":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}',
            b'{"scores":{"dtype":"F32","shape":[1099511627776,0],"data_offsets":[0,0]}}',
            b'{"scores":{"dtype":"F32","shape":[-12],"data_offsets":[0,48]}}',
            b'{"scores":{"dtype":"F32","shape":[12],"data_offsets":[48,0]}}',
            b'{"scores":{"dtype":"F99","shape":[12],"data_offsets":[0,48]}}',
            b'{"scores":{"dtype":"F32","shape":[12.0],"data_offsets":[0,48]}}',
            b'{"scores":{"dtype":"F32","shape":[12],"data_offsets":[4,52]}}',
        )),
    ],
    ids=range(15),
)  # fmt: skip
def test_a_table_of_arrays_that_cannot_be_is_refused(home: Path, tmp_path: Path, head: bytes) -> None:
    folder = Path(shutil.copytree(home / "Popularity", tmp_path / "model"))
    (folder / "weights.safetensors").write_bytes(head + bytes(48))
    sealed(folder)
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        load(folder, "Popularity")


def test_models_bent_at_random_are_refused_or_answer(tmp_path: Path) -> None:
    found = rounds(120, seed=7, home=tmp_path)
    assert found.total() == 120
    assert sum(count for what, count in found.items() if what.endswith("refused")) > 60
