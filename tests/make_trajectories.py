"""Write the trajectories that `recsys-gru verify` replays without a folder: `python -m
tests.make_trajectories FOLDER`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.oracle_gru4rec import Oracle, lane_steps

N_ITEMS, N_LANES, N_SAMPLES = 30, 4, 6
TIED = {
    "constrained_embedding": True,
    "layers": [6],
    "learning_rate": 0.1,
    "batch_size": N_LANES,
    "n_sample": N_SAMPLES,
}
CASES: dict[str, dict[str, Any]] = {
    "bpr_max_separate": {
        "loss": "bpr-max",
        "bpreg": 0.9,
        "elu_param": 0.0,
        "constrained_embedding": False,
        "embedding": 5,
    },
    "bpr_max_tied_momentum": {
        "loss": "bpr-max",
        "bpreg": 1.5,
        "elu_param": 0.5,
        "momentum": 0.3,
        "sample_alpha": 0.4,
    },
    "bpr_tied": {"loss": "bpr"},
    "top1_max_tied": {"loss": "top1-max"},
    "top1_tied": {"loss": "top1"},
    "xe_one_hot_two_layers": {"loss": "cross-entropy", "constrained_embedding": False, "layers": [5, 7]},
    "xe_smoothed": {"loss": "cross-entropy", "label_smoothing": 0.1, "logq": 0.5, "sample_alpha": 0.75},
    "xe_tied": {"loss": "cross-entropy", "logq": 1.0, "sample_alpha": 0.75},
    "xe_tied_in_batch_only": {"loss": "cross-entropy", "n_sample": 0},
    "xe_tied_two_layers": {"loss": "cross-entropy", "logq": 1.0, "sample_alpha": 0.3, "layers": [7, 5]},
}


def main(folder: Path) -> None:
    """Write every case."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, given in CASES.items():
        params = TIED | given
        (folder / f"{name}.json").write_text(json.dumps({"params": params}, indent=1) + "\n")
        np.savez_compressed(folder / f"{name}.npz", **record(params))  # type: ignore[arg-type]


def record(params: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Train the oracle on a small random log and keep what the format asks for."""
    rng = np.random.default_rng(20261122)
    lengths = rng.integers(2, 7, 30).tolist()
    sessions = [rng.zipf(1.4, length) % N_ITEMS for length in lengths]
    support = np.maximum(np.bincount(np.concatenate(sessions), minlength=N_ITEMS), 1)
    weights = initial_weights(params, rng)
    arrays: dict[str, NDArray[Any]] = {f"init/{name}": values for name, values in weights.items()}
    oracle = Oracle(params, {name: torch.from_numpy(values) for name, values in weights.items()}, support)
    steps = [step for step in lane_steps(lengths, N_LANES) if len(step) == N_LANES]
    x = np.array([[sessions[session][position] for session, position, _ in step] for step in steps])
    y = np.array([[sessions[session][position + 1] for session, position, _ in step] for step in steps])
    fresh = np.array([[begins for _, _, begins in step] for step in steps])
    samples = rng.integers(0, N_ITEMS, (len(steps), params["n_sample"]))
    loss = np.array([oracle.step(*step) for step in zip(x, y, samples, fresh, strict=True)])
    arrays |= {f"final/{name}": values.detach().numpy() for name, values in oracle.weights.items()}
    arrays |= {
        "item_ids": np.arange(N_ITEMS),
        "x": x.astype(np.int32),
        "y": y.astype(np.int32),
        "fresh": fresh,
    }
    return arrays | {
        "neg": samples.astype(np.int32),
        "n_valid": np.full(len(steps), N_LANES),
        "loss": loss,
        "support": support,
    }


def initial_weights(params: dict[str, Any], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Small random weights; their distribution does not matter here."""
    layers = params["layers"]
    shapes: dict[str, tuple[int, ...]] = {}
    tied, width = params["constrained_embedding"], params.get("embedding", 0)
    if width:
        shapes["E.weight"] = (N_ITEMS, width)
    first = layers[-1] if tied else width
    for i, units in enumerate(layers):
        if i == 0 and not first:
            shapes |= {"GE.Wx0.weight": (N_ITEMS, 3 * units), "GE.Bh0": (3 * units,)}
            shapes |= {"GE.Wrz0": (units, 2 * units), "GE.Wh0": (units, units)}
            continue
        shapes |= {
            f"G.{i}.weight_ih": (3 * units, layers[i - 1] if i else first),
            f"G.{i}.bias_ih": (3 * units,),
        }
        shapes |= {f"G.{i}.weight_hh": (3 * units, units), f"G.{i}.bias_hh": (3 * units,)}
    shapes |= {"Wy.weight": (N_ITEMS, layers[-1]), "By.weight": (N_ITEMS, 1)}
    return {name: rng.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
