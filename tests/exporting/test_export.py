"""What is exported gives our scores in onnxruntime, without this library."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import onnxruntime
import polars as pl
import pytest
from numpy.typing import NDArray

import recsys_gru as rg
from recsys_gru.cli import main
from recsys_gru.errors import InputError, NotFittedError, ParameterError
from recsys_gru.exporting import nodes
from recsys_gru.kernels.arrays import each_once
from recsys_gru.kernels.readout import recent

CLOSE = 1e-5
"""Absolute; scores here are between -20 and 20."""
SESSIONS = 1_000
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "serve_onnx.py"
ONE_HOT: dict[str, Any] = {"constrained_embedding": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "recommended": {**rg.RECOMMENDED, "n_epochs": 1},
    "before": {"cell": "gru-reset-before"},
    "two kinds": {"cell": "lstm", "layers": (16, 12)},
    "rnn": {"cell": "rnn", "scale": 8.0},
    "one-hot": {**ONE_HOT, "loss": "bpr-max"},
    "one-hot lstm": {**ONE_HOT, "cell": "lstm"},
    "separate": {**ONE_HOT, "embedding": "layersize", "look_back": 3},
    "two layers": {"layers": (12, 16), "scale": 8.0, "look_back": 4, "repeats": 2},
    "repeats": {"repeats": 3},
}
Scores = NDArray[np.float32]


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """A log of more sessions than are compared."""
    return rg.generate_clicks(n_sessions=1_100, n_items=60, days=3, seed=4)


@pytest.fixture(scope="module")
def sessions(log: pl.DataFrame) -> rg.Sessions:
    return rg.as_sessions(log)


def fitted(sessions: rg.Sessions | pl.DataFrame, own: dict[str, Any], **facts: Any) -> rg.GRU4Rec:  # noqa: ANN401
    """A network of one epoch, with weights of some size."""
    usual = {"layers": (16,), "batch_size": 32, "n_sample": 64, "learning_rate": 0.2, "n_epochs": 1}
    return rg.GRU4Rec(**usual | own, device="cpu").fit(sessions, **facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(sessions: rg.Sessions) -> rg.GRU4Rec:
    return fitted(sessions, {})


def ours(model: rg.GRU4Rec, sessions: rg.Sessions) -> Scores:
    """The library's scores (n, N) after each session."""
    found = np.empty((sessions.n_sessions, len(model.vocabulary_)), np.float32)
    for block in model.blocks(sessions, every=False):
        owner = np.searchsorted(sessions.offsets, block.rows, side="right") - 1
        found[owner] = block.tile(0, block.n_items)
    return found[:SESSIONS]


def padded(sessions: rg.Sessions) -> dict[str, NDArray[np.int64]]:
    """Items with -1 behind them, and lengths."""
    lengths = sessions.lengths[:SESSIONS].astype(np.int64)
    items = np.full((SESSIONS, lengths.max()), -1, np.int64)
    items[np.arange(items.shape[1]) < lengths[:, None]] = sessions.items[: lengths.sum()]
    return {"items": items, "lengths": lengths}


def runner(path: Path) -> onnxruntime.InferenceSession:
    """The graph, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def answers_of(path: Path, given: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What a graph gives, by the names of its outputs."""
    graph = runner(path)
    names = [port.name for port in graph.get_outputs()]
    return dict(zip(names, graph.run(names, given), strict=True))


def click_by_click(path: Path, given: dict[str, NDArray[np.int64]]) -> Scores:
    """The scores after the last click of each session, by the graph of one click."""
    graph, lengths = runner(path), given["lengths"]
    kept = {port.name: port.shape[1] for port in graph.get_inputs() if port.name != "item"}
    state = {
        name: np.zeros((SESSIONS, width), np.float32) if name == "state" else np.full((SESSIONS, width), -1)
        for name, width in kept.items()
    }
    found = np.empty((SESSIONS, 0), np.float32)
    for step in range(lengths.max()):
        names = ["scores", *(f"next_{name}" for name in kept)]
        scores, *after = graph.run(names, {"item": given["items"][:, step], **state})
        state = dict(zip(kept, after, strict=True))
        found = np.where((lengths > step)[:, None], scores, found) if step else scores
    return found


def top(scores: Scores) -> NDArray[np.int64]:
    return np.argsort(-scores, axis=1, kind="stable")[:, :20]


@pytest.mark.parametrize("own", OPTIONS.values(), ids=OPTIONS)
def test_both_graphs_give_our_scores_on_a_thousand_sessions(
    own: dict[str, Any], sessions: rg.Sessions, tmp_path: Path
) -> None:
    model = fitted(sessions, own)
    rg.export(model, tmp_path)
    given, expected = padded(sessions), ours(model, sessions)
    assert np.abs(expected).max() > 1  # there is something to compare
    found = answers_of(tmp_path / "session.onnx", given)["scores"]
    assert np.abs(found - expected).max() < CLOSE
    assert np.abs(click_by_click(tmp_path / "step.onnx", given) - expected).max() < CLOSE
    rg.export(model, tmp_path, "onnx-int8")
    rough = answers_of(tmp_path / "session.onnx", given)["scores"]
    assert CLOSE < np.abs(rough - expected).max() < 0.2
    shared = [len(np.intersect1d(a, b)) / 20 for a, b in zip(top(rough), top(expected), strict=True)]
    assert np.mean(shared) > 0.97
    one = answers_of(tmp_path / "session.onnx", {name: values[:1] for name, values in given.items()})
    assert np.array_equal(one["scores"][0], rough[0])  # whatever is asked beside it


def test_facts_and_items_without_a_click_are_in_the_graphs(log: pl.DataFrame, tmp_path: Path) -> None:
    ids = [*log["item_id"].unique().sort(), 900, 901]
    facts = pl.DataFrame(
        {"item_id": ids, "kind": [str(item % 5) for item in ids], "size": [item / 7 for item in ids]}
    )
    model = fitted(log, {"dropout_p_own": 0.3}, items=facts)
    sessions = rg.as_sessions(log, model.vocabulary_)
    assert model.vocabulary_.has_unclicked
    for form in ("onnx", "onnx-int8"):
        rg.export(model, tmp_path, form)
        found = answers_of(tmp_path / "session.onnx", padded(sessions))["scores"]
        assert np.abs(found - ours(model, sessions)).max() < (CLOSE if form == "onnx" else 0.2)


def click_numbers(sessions: rg.Sessions, count: int) -> NDArray[np.int64]:
    """The item numbers of each session's last clicks, the last one first."""
    return recent(sessions.items, sessions.offsets, sessions.offsets[1 : SESSIONS + 1] - 1, count)


def test_vectors_found_by_their_products_with_a_query_are_what_we_recommend(
    sessions: rg.Sessions, tmp_path: Path
) -> None:
    model = fitted(sessions, OPTIONS["recommended"])
    rg.export(model, tmp_path, "vectors")
    vectors, table = np.load(tmp_path / "vectors.npy"), pl.read_parquet(tmp_path / "vectors.parquet")
    assert np.array_equal(table["vector"].to_numpy(), vectors)
    answers = answers_of(tmp_path / "session.onnx", padded(sessions))
    assert set(answers) == {"query"}
    scores = answers["query"] @ vectors.T
    last = each_once(click_numbers(sessions, 5))
    for d, number in enumerate(json.loads((tmp_path / "export.json").read_text())["repeats"]):
        there = np.flatnonzero(last[:, d] >= 0)
        scores[there, last[there, d]] += np.float32(number)
    found = table["item_id"].to_numpy()[top(scores)]
    asked = sessions.part(np.arange(SESSIONS), sessions.lengths[:SESSIONS])
    listed = model.recommend(asked, k=20, exclude_seen=False)["item_id"].to_numpy().reshape(SESSIONS, 20)
    same = (found == listed).all(1)
    assert same.mean() > 0.99  # the last bits of sums decide between equals
    assert [set(row) for row in found[~same]] == [set(row) for row in listed[~same]]


def test_a_graph_too_large_for_one_file_has_another_beside_it(
    plain: rg.GRU4Rec, sessions: rg.Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "LARGEST", 1_000)
    for _ in range(2):  # the second takes the place of the first
        rg.export(plain, tmp_path)
    found = answers_of(tmp_path / "session.onnx", padded(sessions))["scores"]
    assert np.abs(found - ours(plain, sessions)).max() < CLOSE
    told = json.loads((tmp_path / "export.json").read_text())
    assert {*told["files"], "export.json"} == {path.name for path in tmp_path.iterdir()}
    assert "session.onnx.data" in told["files"]
    monkeypatch.undo()
    rg.export(plain, tmp_path)
    assert not (tmp_path / "session.onnx.data").exists()


def test_the_page_of_the_folder_tells_the_shapes(plain: rg.GRU4Rec, tmp_path: Path) -> None:
    rg.export(plain, tmp_path)
    told = json.loads((tmp_path / "export.json").read_text())
    for name, doors in told["graphs"].items():
        graph = runner(tmp_path / name)
        for ports, said in ((graph.get_inputs(), "inputs"), (graph.get_outputs(), "outputs")):
            assert {port.name: port.shape for port in ports} == {
                n: axes for n, (_, *axes) in doors[said].items()
            }


@pytest.fixture
def served(plain: rg.GRU4Rec, tmp_path: Path) -> Iterator[str]:
    """The example's address, in a process that cannot import the library, torch or Polars."""
    rg.export(plain, tmp_path)
    code = (
        "import runpy, sys; sys.modules |= dict.fromkeys(('recsys_gru', 'torch', 'polars'));"
        "runpy.run_path(sys.argv[0])"
    )
    start = f"import sys; sys.argv = {[str(EXAMPLE), str(tmp_path), '0']}; {code}"
    with subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process.stderr.readline().partition("?")[0]
        process.terminate()


def test_the_example_serves_where_the_library_is_not(
    served: str, plain: rg.GRU4Rec, sessions: rg.Sessions
) -> None:
    assert len([line for line in EXAMPLE.read_text().splitlines() if line.strip()]) <= 35
    ids = sessions.vocabulary.take(sessions.items[:3]).to_list()
    for clicked in (ids, []):
        with urlopen(f"{served}?items={','.join(map(str, clicked))}&k=5") as answer:  # noqa: S310 - our own
            found = json.load(answer)
        assert [row["item_id"] for row in found] == plain.recommend_one(clicked, k=5)["item_id"].to_list()


def test_what_cannot_be_exported_is_refused_in_words(
    plain: rg.GRU4Rec, sessions: rg.Sessions, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="got a Markov: what it learned are counts"):
        rg.export(rg.Markov().fit(sessions), tmp_path)
    blend = rg.Blend.of([plain, rg.Markov().fit(sessions)], sessions)
    with pytest.raises(ParameterError, match=r"got a Blend: .* alone, unmixed: model\.members_\[0\]"):
        rg.export(blend, tmp_path)
    with pytest.raises(ParameterError, match="expected a fitted GRU4Rec to export, got 3"):
        rg.export(3, tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="onnx-int8"):
        rg.export(plain, tmp_path, "tensorflow")
    with pytest.raises(NotFittedError):
        rg.export(rg.GRU4Rec(), tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds files but no export\.json"):
        rg.export(plain, tmp_path)
    with pytest.raises(InputError, match="cannot write the export"):
        rg.export(plain, tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_onnx_it_says_what_to_install(
    plain: rg.GRU4Rec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("recsys_gru.exporting.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"export needs onnx: pip install 'recsys-gru\[export\]'"):
        rg.export(plain, tmp_path)


def test_the_command_exports_a_member_of_a_blend(
    plain: rg.GRU4Rec, sessions: rg.Sessions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rg.Blend.of([plain, rg.Markov().fit(sessions)], sessions).save(tmp_path / "blend")
    words = ["export", str(tmp_path / "blend"), str(tmp_path / "out")]
    codes = []
    for more in ([], ["--member", "2"], ["--member", "0"]):
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        codes.append(ended.value.code)
    said = capsys.readouterr()
    assert codes == [2, 2, 0]
    assert "got a Blend" in said.err
    assert "expected --member below 2, got 2" in said.err
    assert "export.json, items.json, session.onnx, step.onnx" in said.out
