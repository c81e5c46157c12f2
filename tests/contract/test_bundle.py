"""A saved model is whole or refused, whatever happens to its files or to its writer."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from recsys_gru.baselines import Markov, Popularity, SequentialRules
from recsys_gru.contract import Bundle, manifest, read_bundle, read_manifest, write_bundle
from recsys_gru.errors import BundleError, RecsysError
from tests.contract.suite import log

FILES = ("manifest.json", "vocabulary.parquet", "weights.safetensors", "card.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Markov().fit(log(words=True)).save(tmp_path / "model", metrics={"recall_at_20": 0.5})
    return tmp_path / "model"


def test_every_one_of_a_thousand_flipped_bits_is_noticed(folder: Path) -> None:
    rng = np.random.default_rng(0)
    whole = {name: (folder / name).read_bytes() for name in FILES}
    sizes = np.array([len(whole[name]) for name in FILES])
    for number in range(1000):
        name = FILES[number % len(FILES)]
        place = int(rng.integers(sizes[number % len(FILES)]))
        damaged = bytearray(whole[name])
        damaged[place] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(damaged)
        with pytest.raises(BundleError, match=name):
            Markov.load(folder)
        (folder / name).write_bytes(whole[name])
    Markov.load(folder)


def test_every_byte_of_the_manifest_counts(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        with pytest.raises(BundleError, match=r"manifest\.json"):
            Markov.load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_named(folder: Path, name: str, kept: float) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(BundleError, match=name):
        Markov.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_longer_file_is_named(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=name):
        Markov.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        Markov.load(folder)


def test_files_that_do_not_belong_are_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt is not part"):
        Markov.load(folder)


def test_files_of_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    Markov().fit(log(30, words=True)).save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(BundleError, match=r"weights\.safetensors is damaged"):
        Markov.load(folder)


def test_no_folder_an_empty_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("{}")
    for place in ("nowhere", "empty", "file"):
        with pytest.raises(BundleError, match=place):
            Markov.load(tmp_path / place)


def test_a_model_of_another_class_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"holds a Markov, expected a Popularity: use Markov\.load"):
        Popularity.load(folder)


def rewritten(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest and seal it again, as a later or foreign writer would."""
    content = json.loads((folder / "manifest.json").read_bytes())
    del content["digest"]
    change(content)
    content["digest"] = manifest.digest_of(content)
    (folder / "manifest.json").write_bytes(manifest.canonical(content))


def test_a_newer_format_is_refused_with_advice(folder: Path) -> None:
    rewritten(folder, lambda content: content.update(format=4, added_later=[1]))
    with pytest.raises(BundleError, match=r"format 4.*reads up to 3: update recsys-gru"):
        Markov.load(folder)


def test_parameters_that_the_class_does_not_know_are_refused(folder: Path) -> None:
    rewritten(folder, lambda content: content.update(parameters={"colour": "red"}))
    with pytest.raises(BundleError, match="does not fit this version of Markov"):
        Markov.load(folder)


def test_a_sealed_manifest_of_other_fields_is_refused(folder: Path) -> None:
    rewritten(folder, lambda content: content.pop("fingerprint"))
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Markov.load(folder)


def test_weights_that_the_class_does_not_know_are_refused(folder: Path, tmp_path: Path) -> None:
    old = read_bundle(folder)
    write_bundle(
        tmp_path / "bare",
        Bundle(old.model, {}, {"other": np.zeros(3)}, old.vocabulary, old.fingerprint),
    )
    with pytest.raises(BundleError, match="fit it again"):
        Markov.load(tmp_path / "bare")


def test_the_manifest_tells_what_the_model_is(tmp_path: Path) -> None:
    model = SequentialRules(reach=3).fit(log())
    model.save(tmp_path / "model", metrics={"recall_at_20": 0.5}, metadata={"created": "2026-03-01"})
    told = read_manifest(tmp_path / "model")
    assert (told.model, told.parameters, told.metrics) == (
        "SequentialRules",
        {"reach": 3},
        {"recall_at_20": 0.5},
    )
    assert told.metadata.items() > {"created": "2026-03-01"}.items()
    assert told.fingerprint == model.fingerprint_
    assert {"python", "numpy", "polars", "safetensors"} <= set(told.libraries)
    assert set(told.files) == {"card.md", "vocabulary.parquet", "weights.safetensors"}


def test_what_json_cannot_tell_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    model = Markov().fit(log())
    with pytest.raises(BundleError, match="numbers, texts, lists"):
        model.save(tmp_path / "model", metrics={"recall_at_20": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_second_save_replaces_the_first(folder: Path) -> None:
    newer = Markov().fit(log(30, words=True))
    newer.save(folder)
    assert Markov.load(folder).fingerprint_ == newer.fingerprint_
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="holds files but no"):
        Markov().fit(log()).save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for place in (tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(BundleError, match="file"):
            Markov().fit(log()).save(place)


def test_a_full_disk_is_a_clear_error_and_keeps_the_old_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BundleError, match="No space left on device"):
        Markov().fit(log(30)).save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert len(Markov.load(folder).vocabulary_) == 12


class Killed(BaseException):
    """Stands for a writer that is killed: nothing catches it, nothing is cleaned up."""


@pytest.mark.parametrize("call", range(9))
def test_a_writer_killed_at_any_moment_leaves_the_old_model_or_the_new(
    folder: Path, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Markov.load(folder), Markov().fit(log(30, words=True))
    count = [0]

    def mortal(function: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object, **kwargs: object) -> object:
            count[0] += 1
            if count[0] > call:
                raise Killed
            return function(*args, **kwargs)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", mortal(os.fsync))
        patch.setattr(Path, "rename", mortal(Path.rename))
        patch.setattr(shutil, "rmtree", mortal(shutil.rmtree))
        patch.setattr(Path, "write_bytes", mortal(Path.write_bytes))
        with pytest.raises(Killed):
            new.save(folder)
    assert Markov.load(folder).fingerprint_ in (old.fingerprint_, new.fingerprint_)
    new.save(folder)
    assert Markov.load(folder).fingerprint_ == new.fingerprint_
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_reader_between_the_two_renames_finds_the_old_model(folder: Path) -> None:
    folder.rename(folder.with_name(".model.old"))
    assert Markov.load(folder).recommend_one(["ant"]).height == 11


@pytest.mark.parametrize("kind", [pl.Int64, pl.String])
def test_ids_keep_their_type_and_value(tmp_path: Path, kind: type[pl.DataType]) -> None:
    ids = (
        pl.Series("item_id", [2**53 + 1, -5, 0])
        if kind == pl.Int64
        else pl.Series("item_id", ["-", "ß🐈", "0"])
    )
    clicks = pl.DataFrame({"session_id": [1, 1, 1], "item_id": ids}).with_columns(
        time=pl.from_epoch(pl.Series([1, 2, 3])).dt.replace_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    )
    model = Popularity().fit(clicks)
    model.save(tmp_path / "model")
    assert_frame_equal(Popularity.load(tmp_path / "model").recommend_one([]), model.recommend_one([]))
    assert set(Popularity.load(tmp_path / "model").recommend_one([])["item_id"]) == set(ids)


def test_every_refusal_is_caught_by_the_root(tmp_path: Path) -> None:
    with pytest.raises(RecsysError):
        Markov.load(tmp_path)
