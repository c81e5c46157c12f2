"""Replay recorded trajectories step by step and say how far this library is from them: the equivalence
certificate.

A case is NAME.json (parameters, expected metrics) beside NAME.npz (weights before and after, inputs, targets,
negative samples and loss of every step). Where train.csv and test.csv lie beside them, the order of the lanes
and the metrics are checked too. The cases shipped with the package were made by an independent float64
implementation of the formulas.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from recsys_gru.errors import InputError
from recsys_gru.evaluation import evaluate
from recsys_gru.evaluation.replay import Ties
from recsys_gru.model.walk import Flow
from recsys_gru.recommender.gru4rec import GRU4Rec
from recsys_gru.sessions import Sessions, Vocabulary
from recsys_gru.training import Learner
from recsys_gru.training.lanes import Lanes

SHIPPED = Path(__file__).parent / "trajectories"
LOSS_TOLERANCE = 1e-4
"""Relative, of every step's loss."""
WEIGHT_TOLERANCE = 1e-3
"""Absolute, of every final weight."""
METRIC_TOLERANCE = 1e-6
"""Absolute, of every recall and MRR."""


TIES: tuple[Ties, ...] = ("standard", "conservative", "median")


@dataclass(frozen=True)
class CaseResult:
    """How far one case was missed; None where there was nothing to compare with."""

    name: str
    steps: int
    loss: float
    """Largest relative difference of a step's loss."""
    weights: float
    """Largest absolute difference of a final weight."""
    metrics: float | None
    """Largest absolute difference of a recall or MRR, from the recorded final weights."""
    lanes: bool | None
    """Whether our schedule of train.csv visits the recorded inputs and targets, lane by lane."""

    @property
    def passed(self) -> bool:
        """Whether every difference is within its tolerance."""
        return (
            self.loss <= LOSS_TOLERANCE
            and self.weights <= WEIGHT_TOLERANCE
            and (self.metrics is None or self.metrics <= METRIC_TOLERANCE)
            and self.lanes is not False
        )


def verify(folder: Path | None = None) -> Iterator[CaseResult]:
    """Replay every case of a folder, by name; without one, the cases shipped with the package.

    Raises:
        InputError: if the folder holds no case, or a case lacks what the format asks for.

    >>> all(result.passed for result in verify())
    True
    """
    cases = sorted((folder or SHIPPED).glob("*.npz"))
    if not cases:
        raise InputError(f"expected cases (NAME.json beside NAME.npz) in {folder}, found none")
    for path in cases:
        yield _replay(_Case(path))


class _Case:
    """One recorded trajectory, in this library's names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            facts = json.loads(path.with_suffix(".json").read_text())
            with np.load(path) as recorded:
                self.arrays: dict[str, NDArray[Any]] = {name: recorded[name] for name in recorded.files}
            self.expected: dict[str, Any] = facts.get("evaluation", {})
            self.model = GRU4Rec(
                **{**facts["params"], "layers": tuple(facts["params"]["layers"])}, device="cpu"
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path.stem} is not a case (NAME.json beside NAME.npz): {error}") from error

    @cached_property
    def vocabulary(self) -> Vocabulary:
        ids = pl.Series("item_id", self.arrays["item_ids"])
        return Vocabulary(ids, self.arrays["support"].astype(np.int64))

    def weights(self, moment: str) -> dict[str, Tensor]:
        """Return the parameters at `moment` (init or final) by our names."""
        found = {
            name.split("/", 1)[1]: values
            for name, values in self.arrays.items()
            if name.startswith(f"{moment}/")
        }
        ours: dict[str, NDArray[Any]] = {"output": found["Wy.weight"], "bias": found["By.weight"]}
        if "E.weight" in found:
            ours["input"] = found["E.weight"]
        if "GE.Wx0.weight" in found:
            units = len(found["GE.Wh0"])
            ours |= {
                "input": found["GE.Wx0.weight"],
                "layers.0.candidate": found["GE.Wh0"].T,
                "layers.0.candidate_bias": found["GE.Bh0"][:units],
                "layers.0.recurrent": found["GE.Wrz0"].T,
                "layers.0.recurrent_bias": found["GE.Bh0"][units:],
            }
        names = {
            "weight_ih": "input",
            "weight_hh": "recurrent",
            "bias_ih": "input_bias",
            "bias_hh": "recurrent_bias",
        }
        for name, values in found.items():
            if name.startswith("G."):
                _, layer, matrix = name.split(".")
                ours[f"layers.{layer}.{names[matrix]}"] = values
        return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in ours.items()}

    def events(self, name: str) -> pl.DataFrame | None:
        """Return train.csv or test.csv beside the case as events, or None."""
        path = self.path.with_name(name)
        if not path.exists():
            return None
        columns = {"SessionId": "session_id", "ItemId": "item_id", "Time": "time"}
        return (
            pl.read_csv(path).rename(columns).with_columns(pl.from_epoch("time").dt.replace_time_zone("UTC"))
        )


def _replay(case: _Case) -> CaseResult:
    steps, n_lanes = case.arrays["x"].shape
    learner = case.model.settings().learner(case.vocabulary.support, n_lanes, torch.device("cpu"))
    _put(learner, case.weights("init"))
    losses = [_loss_difference(case, learner, step) for step in range(steps)]
    final = case.weights("final")
    weights = [float((values - final[name]).abs().max()) for name, values in learner.network.parameters()]
    return CaseResult(
        case.path.stem,
        steps,
        float(np.max(losses)),
        float(np.max(weights)),
        _metric_difference(case, learner),
        _same_lanes(case),
    )


def _put(learner: Learner, weights: dict[str, Tensor]) -> None:
    for name, values in learner.network.parameters():
        values.copy_(weights[name])


def _loss_difference(case: _Case, learner: Learner, step: int) -> float:
    x, y, samples, fresh = (case.arrays[name][step] for name in ("x", "y", "neg", "fresh"))
    keep = torch.from_numpy(~fresh).float()[:, None]
    flow = Flow([len(x)], keep, torch.arange(len(x)))
    inputs, targets, drawn = (values.astype(np.int64) for values in (x, y, samples[None]))
    (rows,) = learner.candidates.collect(inputs[:, None], targets, drawn, [[len(x)]])
    loss = learner.update(rows, flow)
    recorded = float(case.arrays["loss"][step])
    return abs(loss - recorded) / abs(recorded)


def _metric_difference(case: _Case, learner: Learner) -> float | None:
    test = case.events("test.csv")
    if test is None or not case.expected:
        return None
    _put(learner, case.weights("final"))
    case.model.vocabulary_, case.model.network_ = case.vocabulary, learner.network
    worst = 0.0
    for ties in (rule for rule in TIES if rule in case.expected):
        metrics = case.expected[ties]
        cutoffs = [int(k) for k in metrics["recall"]]
        report = evaluate(case.model, test, cutoffs, ties=ties)
        for k in cutoffs:
            worst = max(
                worst,
                abs(report.recall[k] - metrics["recall"][str(k)]),
                abs(report.mrr[k] - metrics["mrr"][str(k)]),
            )
    return worst


def _same_lanes(case: _Case) -> bool | None:
    train = case.events("train.csv")
    if train is None:
        return None
    sessions = Sessions.from_events(train)
    recorded = case.arrays
    if sessions.vocabulary.ids.to_list() != case.vocabulary.ids.to_list():
        return False
    stretches = Lanes(sessions.offsets, recorded["x"].shape[1]).stretches(1, len(recorded["x"]))
    windows = (window for stretch in stretches for window in stretch)
    for x, y, fresh, window in zip(recorded["x"], recorded["y"], recorded["fresh"], windows, strict=False):
        found = (sessions.items[window.at], sessions.items[window.at + 1], window.fresh)
        if not all(np.array_equal(ours, theirs) for ours, theirs in zip(found, (x, y, fresh), strict=True)):
            return False
    return True
