"""Saved models, bent at random and sealed again: refused in words, or read as models that answer.

By hand, in a process of its own: ``python -m tests.contract.fuzz 2000 1``.
"""

import hashlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as bytes_of

import recsys_gru as rg
from recsys_gru.contract import manifest
from recsys_gru.errors import BundleError, RecsysError
from tests.contract.suite import FACTORIES, log

FILES = ("manifest.json", "vocabulary.parquet", "weights.safetensors", "card.md")
MODELS = ("Popularity", "Markov", "ItemKNN", "VSKNN", "STAN", "GRU4Rec")
JUNK: tuple[object, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e308, "", "x", "NaN", "../..", [], [[]], {},
    {"a": None},
)  # fmt: skip
Rng = np.random.Generator
Bend = Callable[[Path, Rng], None]


def sealed(folder: Path, content: dict[str, object] | None = None) -> None:
    """Make the manifest fit the files and itself, as one who means harm would."""
    told = dict(json.loads((folder / "manifest.json").read_bytes()) if content is None else content)
    told.pop("digest", None)
    if isinstance(files := told.get("files"), dict):
        for name in FILES[1:]:
            data = (folder / name).read_bytes()
            if name in files:
                files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    told["digest"] = manifest.digest_of(told)
    (folder / "manifest.json").write_bytes(manifest.canonical(told))


def flipped(folder: Path, rng: Rng) -> None:
    """Some bits of a file are others."""
    path = folder / str(rng.choice(FILES))
    data = bytearray(path.read_bytes())
    for place in rng.integers(len(data), size=int(rng.integers(1, 4))):
        data[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)


def cut(folder: Path, rng: Rng) -> None:
    """A file ends early, or goes on."""
    path = folder / str(rng.choice(FILES))
    data = path.read_bytes()
    end = int(rng.integers(len(data) + 64))
    path.write_bytes((data + bytes(64))[:end])


def moved(folder: Path, rng: Rng) -> None:
    """Some bytes of a file stand in another place."""
    path = folder / str(rng.choice(FILES))
    data = bytearray(path.read_bytes())
    size = int(rng.integers(1, max(2, len(data) // 4)))
    source, target = rng.integers(max(1, len(data) - size), size=2)
    data[target : target + size] = data[source : source + size]
    path.write_bytes(data)


def told_otherwise(folder: Path, rng: Rng) -> None:
    """A field of the manifest, or of one of its objects, is something else or gone."""
    content = json.loads((folder / "manifest.json").read_bytes())
    where = content
    if rng.random() < 0.5:
        objects = [entry for entry in content.values() if isinstance(entry, dict) and entry]
        where = objects[int(rng.integers(len(objects)))] if objects else content
    name = sorted(where)[int(rng.integers(len(where)))]
    if rng.random() < 0.1:
        del where[name]
    else:
        where[name] = JUNK[int(rng.integers(len(JUNK)))]
    sealed(folder, content)


def bent_array(folder: Path, rng: Rng) -> None:
    """An array has other values, another shape, another type, or is another one."""
    path = folder / "weights.safetensors"
    arrays = {name: values.copy() for name, values in tensors_of(path.read_bytes()).items()}
    name = sorted(arrays)[int(rng.integers(len(arrays)))]
    values, flat = arrays[name], arrays[name].reshape(-1)
    bends: tuple[Callable[[], np.ndarray], ...] = (
        lambda: values[: len(values) // 2],
        lambda: values[:1],
        lambda: values[:, None],
        lambda: values[::-1],
        lambda: values.astype(np.float64 if values.dtype.kind == "i" else np.int32),
        lambda: np.concatenate([values, values]),
        lambda: np.where(rng.random(values.shape) < 0.2, values.dtype.type(-(2**31)), values),
        lambda: np.where(rng.random(values.shape) < 0.2, values.dtype.type(2**31 - 129), values),
        lambda: rng.permutation(flat).reshape(values.shape),
        lambda: np.full(values.shape, np.nan if values.dtype.kind == "f" else -1, values.dtype),
        lambda: arrays[sorted(arrays)[int(rng.integers(len(arrays)))]],
    )
    with np.errstate(all="ignore"):
        arrays[name] = np.ascontiguousarray(bends[int(rng.integers(len(bends)))]())
    path.write_bytes(bytes_of(arrays))


BENDS: tuple[Bend, ...] = (flipped, cut, moved, told_otherwise, bent_array, bent_array)


def require_whole(folder: Path, kind: str, answer: object, resealed: bool) -> str:
    """What became of a bent model; raises if it is neither refused nor a model."""
    try:
        model = getattr(rg, kind).load(folder)
    except BundleError:
        return "refused"
    given = model.recommend(LIVE, k=5)
    if not resealed:
        assert given.equals(answer), f"{kind}: another answer under an old seal"
    known = set(model.vocabulary_.ids)
    assert set(given["item_id"]) <= known
    assert given["score"].is_finite().all()
    return "answers"


LIVE = log(20, seed=8, first=500)


def rounds(count: int, seed: int, home: Path) -> Counter[str]:
    """Bend models so many times; returns how often each thing came of it."""
    rng, found = np.random.default_rng(seed), Counter[str]()
    answers = {}
    for kind in MODELS:
        model = FACTORIES[kind]().fit(log())
        model.save(home / kind, metrics={"recall_at_20": 0.5}, metadata={"made": "here"})
        answers[kind] = model.recommend(LIVE, k=5)
    for number in range(count):
        kind = MODELS[int(rng.integers(len(MODELS)))]
        folder = home / "bent"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(home / kind, folder)
        bend = BENDS[int(rng.integers(len(BENDS)))]
        bend(folder, rng)
        resealed = bool(rng.random() < 0.8)
        if resealed:
            try:
                sealed(folder)
            except (ValueError, RecursionError):  # the manifest itself is no JSON any more
                resealed = False
        try:
            found[f"{bend.__name__}: {require_whole(folder, kind, answers[kind], resealed)}"] += 1
        except RecsysError as error:
            found[f"{bend.__name__}: {type(error).__name__} when asked"] += 1
        except BaseException as error:
            raise AssertionError(f"round {number} of seed {seed}: {kind}, {bend.__name__}") from error
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for what, times in sorted(rounds(int(sys.argv[1]), int(sys.argv[2]), Path(place)).items()):
            sys.stdout.write(f"{times:6} {what}\n")
