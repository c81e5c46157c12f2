"""Checkpoints: one sealed file that holds everything needed to go on as if nothing had happened."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor

from recsys_gru.errors import CheckpointError
from recsys_gru.folders import sync
from recsys_gru.training.learner import Learner
from recsys_gru.training.trainer import EpochReport, Position

SEAL = 64
"""Bytes of the SHA-256, in hexadecimal, that begin the file."""


@dataclass
class Run:
    """What training has come to beside its learner: where it stands, its epochs, and the best epoch's
    parameters."""

    position: Position = field(default_factory=Position)
    history: list[EpochReport] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = 0


class Checkpoints:
    """Writes and reads `checkpoint` in a folder; `name` identifies the data and parameters they belong to."""

    def __init__(self, folder: str | os.PathLike[str], name: str) -> None:
        self.path = Path(folder) / "checkpoint"
        self._name = name

    def write(self, learner: Learner, run: Run) -> None:
        """Save the whole state: written aside, synced, renamed.

        Raises CheckpointError if the disk refuses; the checkpoint before stays whole.
        """
        tensors = {**_tensors(learner), **{f"best/{name}": values for name, values in run.best.items()}}
        facts = {
            "run": self._name,
            "position": asdict(run.position),
            "history": [asdict(report) for report in run.history],
            "best_epoch": run.best_epoch,
            "samples": learner.sampler.generator.bit_generator.state,
            "dropout": learner.embed_dropout.generator.bit_generator.state,
        }
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

        Raises CheckpointError if the file is damaged or belongs to other data or parameters.
        """
        if not self.path.exists():
            return None
        content = self.path.read_bytes()
        payload = content[SEAL:]
        if hashlib.sha256(payload).hexdigest().encode() != content[:SEAL]:
            raise CheckpointError(
                f"{self.path} is damaged (its SHA-256 differs): delete it to train from the start"
            )
        facts = _facts(payload)
        if facts["run"] != self._name:
            raise CheckpointError(
                f"{self.path} belongs to a run with other data or parameters: choose another checkpoint_dir, "
                "or delete this one to train from the start"
            )
        tensors = tensors_of(payload)
        for name, values in _parameters(learner).items():
            values.copy_(tensors[name])
        learner.states = [
            tensors[f"state/{i}"].to(learner.network.device) for i in range(len(learner.states))
        ]
        learner.sampler.generator.bit_generator.state = facts["samples"]
        learner.embed_dropout.generator.bit_generator.state = facts["dropout"]
        return Run(
            Position(**facts["position"]),
            [EpochReport(**report) for report in facts["history"]],
            {
                name.removeprefix("best/"): values
                for name, values in tensors.items()
                if name.startswith("best/")
            },
            facts["best_epoch"],
        )


def _facts(payload: bytes) -> dict[str, Any]:
    header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
    return dict(json.loads(header["__metadata__"]["facts"]))


def _parameters(learner: Learner) -> dict[str, Tensor]:
    tensors = {f"weights/{name}": values for name, values in learner.network.parameters()}
    for name, slots in learner.optimiser.slots.items():
        tensors.update({f"slots/{name}/{slot}": values for slot, values in slots.items()})
    return tensors


def _tensors(learner: Learner) -> dict[str, Tensor]:
    tensors = _parameters(learner)
    tensors.update({f"state/{i}": values for i, values in enumerate(learner.states)})
    return tensors


def _write_whole(path: Path, content: bytes) -> None:
    aside = path.with_suffix(".new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync(path.parent)
