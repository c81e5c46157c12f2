"""The exported folder: graphs, items in the order of their numbers, vectors, and what tells of them."""

import importlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from recsys_gru import __version__
from recsys_gru.arguments import choice, place, shown
from recsys_gru.contract import Recommender
from recsys_gru.contract.manifest import FileSeal
from recsys_gru.errors import InputError, ParameterError
from recsys_gru.forked import need_threads
from recsys_gru.recommender import GRU4Rec

if TYPE_CHECKING:
    from recsys_gru.exporting.graphs import Graphs
    from recsys_gru.exporting.nodes import Doors
    from recsys_gru.sessions import Vocabulary

FORMATS = ("onnx", "onnx-int8", "vectors")
TOLD = "export.json"
STEP, SESSION = "step.onnx", "session.onnx"


def export(model: Recommender, folder: str | os.PathLike[str], format: str = "onnx") -> None:  # noqa: A002
    """Write a fitted GRU4Rec for those who run it without this library.

    In the folder: `session.onnx`, whole sessions to scores; `step.onnx`, one click more of sessions whose
    state the caller keeps; `items.json`, ids and support by item number; `export.json`, shapes and seals.

    Args:
        model: a fitted GRU4Rec of any options but context, also one with facts; others are refused.
        folder: a new or empty folder, or that of an earlier export, which is replaced.
        format: "onnx"; "onnx-int8", the item tables a byte a number; or "vectors", the items' vectors as
            Parquet and NumPy for a vector store, and graphs that give the queries to search it with.

    Raises:
        ParameterError: if the model cannot be told in this format.
        NotFittedError: before ``fit``.
        InputError: if onnx is not installed, or the folder holds something else or cannot be written.

    >>> import tempfile
    >>> from recsys_gru.contract.toy import clicks_of
    >>> model = GRU4Rec(layers=(8,), batch_size=2, n_sample=4, n_epochs=1).fit(clicks_of("abc", "abc"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(model, folder)
    ...     print(*sorted(os.listdir(folder)))
    export.json items.json session.onnx step.onnx
    """
    need_threads("export")
    home, form = Path(place("folder", folder)), choice("format", format, FORMATS)
    if not isinstance(model, GRU4Rec):
        raise ParameterError(_refusal(model))
    network = model.network_
    if network.moment:
        raise ParameterError(
            "a model fitted with context is not exported: its scores need the labels of each click; fit it "
            "without context, or let recsys-gru serve answer"
        )
    try:
        kind = importlib.import_module("recsys_gru.exporting.graphs").Graphs
    except ModuleNotFoundError as error:
        raise InputError(f"export needs {error.name}: pip install 'recsys-gru[export]'") from error
    graphs: Graphs = kind(network, as_bytes=form == "onnx-int8", scored=form != "vectors")
    try:
        _make_room(home)
        _write(home, model, form, graphs)
    except OSError as error:
        raise InputError(f"cannot write the export to {home}: {error}; give another folder") from error


def _refusal(model: object) -> str:
    """Why it is refused, and what may be exported in its place."""
    if not isinstance(model, Recommender):
        return f"expected a fitted GRU4Rec to export, got {shown(model)}"
    kind, members = type(model).__name__, vars(model).get("members_", ())
    networks = [f"members_[{at}]" for at, member in enumerate(members) if isinstance(member, GRU4Rec)]
    instead = "what it learned are counts, not a network; recsys-gru serve answers with it over HTTP"
    if networks:
        instead = (
            f"of its members the networks can be exported alone, unmixed: model.{' and '.join(networks)}"
        )
    return f"expected a GRU4Rec to export, got a {kind}: {instead}"


def _make_room(home: Path) -> None:
    """A folder without an earlier export's files.

    Raises:
        InputError: if it holds others.
    """
    home.mkdir(parents=True, exist_ok=True)
    found = {path.name for path in home.iterdir()}
    if found and TOLD not in found:
        raise InputError(f"{home} holds files but no {TOLD}: expected a new folder or an earlier export")
    if found:
        before = json.loads((home / TOLD).read_text())["files"]
        (home / TOLD).unlink()
        for name in before:
            (home / Path(name).name).unlink(missing_ok=True)


def _write(home: Path, model: GRU4Rec, form: str, graphs: "Graphs") -> None:
    """All files, that which tells of the others last."""
    notes = {"recsys_gru": __version__, "fingerprint": model.fingerprint_, "format": form}
    doors = {
        STEP: graphs.write_step(home / STEP, notes),
        SESSION: graphs.write_session(home / SESSION, notes),
    }
    vocabulary = model.vocabulary_
    items = {"item_id": vocabulary.ids.to_list(), "support": vocabulary.support.tolist()}
    (home / "items.json").write_text(json.dumps(items), encoding="utf-8")
    if form == "vectors":
        _write_vectors(home, vocabulary, graphs)
    told = {
        **notes,
        "model": type(model).__name__,
        "parameters": model.parameters(),
        "repeats": graphs.repeats,
        "opset": importlib.import_module("recsys_gru.exporting.nodes").OPSET,
        "graphs": {name: _shapes(ports) for name, ports in doors.items()},
        "files": {path.name: asdict(FileSeal.of(path.read_bytes())) for path in sorted(home.iterdir())},
    }
    (home / TOLD).write_text(json.dumps(told, indent=1), encoding="utf-8")


def _write_vectors(home: Path, vocabulary: "Vocabulary", graphs: "Graphs") -> None:
    """Each item's row with its bias behind it, (N, H + 1): its product with a query is the score."""
    vectors = np.concatenate([graphs.output, graphs.bias[:, None]], 1)
    np.save(home / "vectors.npy", vectors)
    kind = pl.Array(pl.Float32, vectors.shape[1])
    columns = {
        "item_id": vocabulary.ids,
        "support": vocabulary.support,
        "vector": pl.Series(vectors, dtype=kind),
    }
    pl.DataFrame(columns).write_parquet(home / "vectors.parquet")


def _shapes(doors: "Doors") -> dict[str, Any]:
    """Inputs and outputs with their kinds and axes."""
    inputs, outputs = ({port.name: [port.kind, *port.axes] for port in ports} for ports in doors)
    return {"inputs": inputs, "outputs": outputs}
