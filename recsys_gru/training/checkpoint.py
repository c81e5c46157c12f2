"""Checkpoints: one sealed file that holds everything needed to go on as if nothing had happened."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as bytes_of
from torch import Tensor

from recsys_gru.errors import CheckpointError, InputError
from recsys_gru.files import (
    Field,
    Kind,
    arrays_of,
    heads_of,
    read_file,
    require_kind,
    require_shapes,
    require_values,
    strict_json,
    sync,
)
from recsys_gru.training.exchange import Exchange
from recsys_gru.training.learner import Learner
from recsys_gru.training.trainer import EpochReport, Position

CANNOT_BE = (OSError, ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a file that no run has written makes us, NumPy and torch raise."""
SEAL = 64
"""Bytes of the SHA-256, in hexadecimal, that begin the file."""
PLACE: dict[str, Kind] = {
    "position": {
        "epoch": int, "updates": int, "events": int, "loss": float, "steps": int, "seconds": float,
    },
    "samples": {str: object},
    "dropout": {str: object},
}  # fmt: skip
"""Where a process stands; the two last are what NumPy's generators tell of themselves."""
FACTS: dict[str, Kind] = PLACE | {
    "run": str,
    "history": [{"epoch": int, "loss": float, "events": int, "seconds": float, "metrics": {str: float}}],
    "best_epoch": int,
}  # fmt: skip
"""What is kept beside the arrays."""


@dataclass
class Run:
    """What training has come to beside its learner: where it stands, its epochs, and the best epoch's
    parameters."""

    position: Position = field(default_factory=Position)
    history: list[EpochReport] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0


class Checkpoints:
    """Writes and reads `checkpoint` in a folder; `name` identifies the data and parameters they belong to.

    Of processes that train together the first one writes and reads for all; where they stand `apart`, each at
    a place of its own, the places and states of the `others` are in the same file.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str,
        exchange: Exchange | None = None,
        *,
        apart: bool = False,
    ) -> None:
        self.path = Path(folder) / "checkpoint"
        self._name = name
        self._exchange = exchange or Exchange()
        self._others = self._exchange.size - 1 if apart else 0

    def write(self, learner: Learner, run: Run) -> None:
        """Save the whole state: written aside, synced, renamed.

        Raises CheckpointError if the disk refuses; the checkpoint before stays whole.
        """
        here = {
            "position": asdict(run.position),
            "samples": learner.sampler.generator.bit_generator.state,
            "dropout": learner.embed_dropout.generator.bit_generator.state,
        }
        others = self._exchange.all((here, learner.states))[1:] if self._others else []
        if self._exchange.rank:
            return
        tensors = {**_tensors(learner), **{f"best/{name}": values for name, values in run.best.items()}}
        facts = here | {
            "run": self._name,
            "history": [asdict(report) for report in run.history],
            "best_epoch": run.best_epoch,
        }
        if others:
            facts["others"] = [place for place, _ in others]
            for rank, (_, states) in enumerate(others, 1):
                tensors |= {_state(rank, i): values for i, values in enumerate(states)}
        payload = bytes_of(
            {name: values.contiguous() for name, values in tensors.items()}, {"facts": json.dumps(facts)}
        )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(self.path, hashlib.sha256(payload).hexdigest().encode() + payload)
        except OSError as error:
            raise CheckpointError(
                f"cannot write {self.path}: {error}; free some space or choose another folder"
            ) from error

    def read(self, learner: Learner) -> Run | None:
        """Put the saved state into the learner; return None where there is no checkpoint.

        Raises CheckpointError if the file is damaged, belongs to other data or parameters, or holds what no
        run of them can have come to.
        """
        if not self._exchange.of_first(os.path.lexists(self.path)):
            return None
        try:
            payload = self._exchange.of_first(None if self._exchange.rank else self._payload())
            arrays, notes = arrays_of(payload)
            told = strict_json(notes["facts"].encode())
            kind = FACTS | {"others": [PLACE]} if isinstance(told, dict) and "others" in told else FACTS
            facts = require_kind(told, kind, "facts")
            for place in ({}, *facts.get("others", [])):
                self._require_ours(facts | place)
            if len(facts.get("others", [])) != self._others:
                raise InputError(f"expected the places of {self._others} other processes")
            if self._others and self._exchange.rank:
                facts |= facts["others"][self._exchange.rank - 1]
            layout = _layout(learner, self._others)
            require_values(layout, arrays, require_shapes(layout, heads_of(payload, len(payload))[0]))
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return _resumed(learner, tensors, facts, self._exchange.rank if self._others else 0)
        except CheckpointError:
            raise
        except CANNOT_BE as error:
            raise CheckpointError(
                f"cannot go on from {self.path}: {error}; delete it to train from the start"
            ) from error

    def _require_ours(self, facts: dict[str, Any]) -> None:
        """Check what the kinds of the facts do not tell."""
        if facts["run"] != self._name:
            raise CheckpointError(
                f"{self.path} belongs to a run with other data or parameters: choose another checkpoint_dir, "
                "or delete this one to train from the start"
            )
        at, epochs = facts["position"], [report["epoch"] for report in facts["history"]]
        whole = len(epochs) == at["epoch"] and epochs == list(range(1, len(epochs) + 1))
        if not whole or facts["best_epoch"] > at["epoch"]:
            raise InputError(f"expected a report of each of {at['epoch']} epochs; got those of {epochs[:5]}")
        if not at["updates"] <= at["steps"] <= at["events"] or (at["events"] and not at["updates"]):
            raise InputError(f"expected steps and events for each update, and none without; got {at}")

    def _payload(self) -> bytearray:
        """The content without its seal, which fits."""
        content = read_file(self.path)
        seal = bytes(content[:SEAL])
        del content[:SEAL]
        if hashlib.sha256(content).hexdigest().encode() != seal:
            raise CheckpointError(
                f"{self.path} is damaged (its SHA-256 differs): delete it to train from the start"
            )
        return content


def _layout(learner: Learner, others: int = 0) -> dict[str, Field]:
    """What the arrays must be: the learner's own, with any number of lanes that it can have, and the states
    of so many others."""
    fields: dict[str, Field] = {}
    for name, values in _parameters(learner).items():
        low = 0 if name.endswith(("/sums", "/count")) else None
        fields[name] = Field(_dtype(values), tuple(values.shape), low=low)
    for rank in range(others + 1):
        for i, values in enumerate(learner.states):
            fields[_state(rank, i)] = Field(_dtype(values), (f"L{rank}", values.shape[1]))
    for name, values in learner.network.parameters():
        fields[f"best/{name}"] = Field(_dtype(values), tuple(values.shape), optional=True)
    return fields


def _dtype(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _state(rank: int, layer: int) -> str:
    """The name of the states of a process's lanes."""
    return f"others/{rank}/state/{layer}" if rank else f"state/{layer}"


def _resumed(learner: Learner, tensors: dict[str, Tensor], facts: dict[str, Any], rank: int) -> Run:
    """Put checked arrays into the learner of a process."""
    kept = [name.removeprefix("best/") for name in tensors if name.startswith("best/")]
    best = {name: tensors[f"best/{name}"].clone() for name in kept}
    if len(best) not in (0, len(dict(learner.network.parameters()))):
        raise InputError("expected all of the best epoch's parameters, or none")
    lanes = len(tensors[_state(rank, 0)])
    if lanes > learner.batch_size or (facts["position"]["updates"] and not lanes):
        raise InputError(f"expected the states of 1 to {learner.batch_size} lanes, got {lanes}")
    states = {"samples": learner.sampler.generator, "dropout": learner.embed_dropout.generator}
    for name, generator in states.items():
        generator.bit_generator.state = facts[name]
    for name, values in _parameters(learner).items():
        values.copy_(tensors[name])
    learner.states = [
        tensors[_state(rank, i)].to(learner.network.device, copy=True) for i in range(len(learner.states))
    ]
    history = [EpochReport(**report) for report in facts["history"]]
    return Run(Position(**facts["position"]), history, best, facts["best_epoch"])


def _parameters(learner: Learner) -> dict[str, Tensor]:
    tensors = {f"weights/{name}": values for name, values in learner.network.parameters()}
    for name, slots in learner.optimiser.slots.items():
        tensors.update({f"slots/{name}/{slot}": values for slot, values in slots.items()})
    return tensors


def _tensors(learner: Learner) -> dict[str, Tensor]:
    tensors = _parameters(learner)
    tensors.update({_state(0, i): values for i, values in enumerate(learner.states)})
    return tensors


def _write_whole(path: Path, content: bytes) -> None:
    aside = path.with_suffix(".new")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync(path.parent)
