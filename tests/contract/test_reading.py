"""Readers beside a writer, names that look like patterns, links, and things that are no files."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from recsys_gru.baselines import Markov
from recsys_gru.contract import manifest, read_manifest, reading, writing
from recsys_gru.errors import BundleError
from recsys_gru.sessions import Vocabulary
from tests.contract.fuzz import FILES
from tests.contract.suite import log

READER = """
import sys
import recsys_gru as rg
rg.Markov.load(sys.argv[1])
print("ready", flush=True)
kinds = set()
for number in range(200):
    model = rg.Markov.load(sys.argv[1])
    low = int(model.vocabulary_.ids.min()) < 1000
    assert low == (model.fingerprint_ == sys.argv[2]), "weights of one model, ids of another"
    kinds.add(low)
print(len(kinds))
"""
"""Loads a model again and again, which is the old one or the new one."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Markov().fit(log()).save(tmp_path / "model")
    return tmp_path / "model"


def names_in(folder: Path) -> list[str]:
    """What lies in a folder, hidden things too."""
    return sorted(path.name for path in folder.iterdir())


def shifted(n_sessions: int = 60) -> Markov:
    """A model of the same clicks on other items."""
    return Markov().fit(log(n_sessions).with_columns(item_id=pl.col("item_id") + 1000))


def test_readers_beside_a_writer_get_the_old_model_or_the_new(folder: Path) -> None:
    old, new = Markov.load(folder), shifted()
    command = [sys.executable, "-c", READER, str(folder), old.fingerprint_]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    saves = 0
    while any(reader.poll() is None for reader in readers):
        (new if saves % 2 == 0 else old).save(folder)
        saves += 1
    kinds = [reader.communicate()[0].split() for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0]
    assert saves > 2
    assert ["2"] in kinds


def test_a_folder_replaced_while_it_is_read_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, times = shifted(), [0]
    of_bytes = Vocabulary.of_bytes

    def slow(data: bytes, path: Path) -> Vocabulary:
        times[0] += 1
        if times[0] == 1:
            new.save(folder)
        return of_bytes(data, path)

    monkeypatch.setattr(Vocabulary, "of_bytes", slow)
    old = Markov.load(folder)
    assert old.vocabulary_.number(100) >= 0, "all its files were open before"
    assert Markov.load(folder).fingerprint_ == new.fingerprint_


def test_a_folder_copied_over_while_it_is_read_is_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = shifted(90)
    new.save(tmp_path / "other")
    times = [0]
    sealed_bytes = reading._sealed

    def slow(path: Path, files: reading.Opened, told: manifest.Manifest) -> bytearray:
        times[0] += 1
        if times[0] == 1:
            for name in FILES:  # as cp and rsync --inplace do, not as save does
                (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
        return sealed_bytes(path, files, told)

    monkeypatch.setattr(reading, "_sealed", slow)
    assert Markov.load(folder).fingerprint_ == new.fingerprint_
    assert times[0] > 1


def test_what_is_damaged_for_good_is_refused_at_once(folder: Path) -> None:
    (folder / FILES[2]).write_bytes(b"damaged")
    began = time.monotonic()
    with pytest.raises(BundleError, match=r"weights\.safetensors is damaged"):
        Markov.load(folder)
    assert time.monotonic() - began < 0.5


def test_the_manifest_is_found_where_a_writer_is_between_its_renames(folder: Path) -> None:
    folder.rename(folder.with_name(".model.old"))
    assert read_manifest(folder).model == "Markov"


@pytest.mark.parametrize(
    "name", ["model[12]", "m*", "m?del", "[!a]", "~", "~root", "{a,b}", "a b%20", "$HOME"]
)
def test_a_name_is_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for beside in ("model1", "model", "b"):
        shifted().save(beside)
    model = Markov().fit(log())
    model.save(name)
    read = Markov.load(name)
    assert (read.fingerprint_, read.vocabulary_) == (model.fingerprint_, model.vocabulary_)
    model.save(name)
    assert names_in(tmp_path) == sorted({"model1", "model", "b", name})


def test_a_save_leaves_what_a_model_of_a_longer_name_is_writing(tmp_path: Path) -> None:
    (tmp_path / ".model.next.0123456789abcdef.new").mkdir()
    (tmp_path / ".model.0123456789abcdef.new").mkdir()
    Markov().fit(log()).save(tmp_path / "model")
    assert names_in(tmp_path) == [".model.next.0123456789abcdef.new", "model"]


def test_a_link_is_followed_at_every_save(tmp_path: Path) -> None:
    old, new = Markov().fit(log()), shifted()
    old.save(tmp_path / "v1")
    (tmp_path / "current").symlink_to("v1")
    for _ in range(3):
        new.save(tmp_path / "current")
        assert (tmp_path / "current").is_symlink()
        assert names_in(tmp_path) == ["current", "v1"]
        assert Markov.load(tmp_path / "v1").fingerprint_ == new.fingerprint_
    (tmp_path / "v1").rename(tmp_path / ".v1.old")  # a writer through the link was killed here
    assert Markov.load(tmp_path / "current").fingerprint_ == new.fingerprint_


def test_a_link_to_nothing_is_where_the_first_model_goes(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("v1")
    Markov().fit(log()).save(tmp_path / "current")
    assert names_in(tmp_path) == ["current", "v1"]


def test_links_that_lead_round_in_a_ring_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(BundleError):
        Markov().fit(log()).save(tmp_path / "a")
    with pytest.raises(BundleError):
        Markov.load(tmp_path / "a")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link", "link out", "device"])
def test_what_is_no_file_is_refused(
    folder: Path, tmp_path: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / name
    path.rename(tmp_path / "moved")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(folder)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(name)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        shutil.copy(tmp_path / "moved", folder / "inside")
        path.symlink_to("inside")
    elif kind == "link out":
        path.symlink_to(tmp_path / "moved")
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(BundleError):
        Markov.load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("resealed", [False, True])
def test_a_sparse_file_of_forty_gigabytes_is_refused_before_it_is_read(
    folder: Path, name: str, resealed: bool
) -> None:
    size = 40 << 30
    try:
        os.truncate(folder / name, size)
    except OSError:
        pytest.skip("the disk has no sparse files of this size")
    if resealed and name != FILES[0]:
        content = json.loads((folder / FILES[0]).read_bytes())
        content["files"][name]["size"] = size
        content.pop("digest")
        content["digest"] = manifest.digest_of(content)
        (folder / FILES[0]).write_bytes(manifest.canonical(content))
    began = time.monotonic()
    with pytest.raises(BundleError):
        Markov.load(folder)
    assert time.monotonic() - began < 2


def test_a_full_disk_at_any_file_leaves_the_old_model_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Markov.load(folder), shifted()
    write = writing._write
    for full_at in range(3):
        count = [0]

        def full(path: Path, parts: list[memoryview], at: int = full_at, count: list[int] = count) -> None:
            count[0] += 1
            if count[0] > at:
                write(path, parts[: len(parts) // 2])
                raise OSError(28, "No space left on device")
            write(path, parts)

        with monkeypatch.context() as patch:
            patch.setattr(writing, "_write", full)
            with pytest.raises(BundleError, match="No space left"):
                new.save(folder)
        assert names_in(folder.parent) == ["model"]
        assert Markov.load(folder).fingerprint_ == old.fingerprint_


def test_a_table_that_polars_cannot_write_is_a_refusal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", broken)
    with pytest.raises(BundleError, match="No space left"):
        shifted().save(folder)
    assert names_in(folder.parent) == ["model"]


@pytest.mark.parametrize("at", [0, 1])
def test_a_rename_that_fails_leaves_the_old_model(
    folder: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, rename, count = Markov.load(folder), Path.rename, [0]

    def refused(path: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == at + 1:
            raise OSError(13, "Permission denied")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refused)
        with pytest.raises(BundleError, match="Permission denied"):
            shifted().save(folder)
    assert names_in(folder.parent) == ["model"]
    assert Markov.load(folder).fingerprint_ == old.fingerprint_


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o700), (0o022, 0o755), (0o027, 0o750)])
def test_the_folder_follows_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        Markov().fit(log()).save(tmp_path / "model")
    finally:
        os.umask(before)
    assert (tmp_path / "model").stat().st_mode & 0o777 == mode
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()} == {mode & 0o666}
