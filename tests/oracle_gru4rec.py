"""GRU4Rec a second time, slowly and in float64, from the formulas alone: no code of the library is used.

Scores are those of all M + S columns, the target of lane i in column i; gradients come from automatic
differentiation; tables are updated densely under a mask of the touched rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass
class Oracle:
    """Parameters by the names of the trajectory format; `layers` GRU layers, the first one-hot if "GE.*" is
    there."""

    params: dict[str, float | str | bool | list[int]]
    weights: dict[str, Tensor]
    support: NDArray[np.int64]
    hidden: list[Tensor] = field(default_factory=list)
    sums: dict[str, Tensor] = field(default_factory=dict)
    velocity: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.weights.items():
            self.weights[name] = values.double().requires_grad_()
            self.sums[name] = torch.zeros_like(values, dtype=torch.float64)
            self.velocity[name] = torch.zeros_like(values, dtype=torch.float64)
        self.layers = [int(units) for units in self.params["layers"]]  # type: ignore[union-attr]

    def number(self, name: str, default: float = 0.0) -> float:
        return float(self.params.get(name, default))  # type: ignore[arg-type]

    def step(self, x: Ints, y: Ints, samples: Ints, fresh: NDArray[np.bool_]) -> float:
        """One update; returns the loss before it."""
        if not self.hidden:
            self.hidden = [torch.zeros(len(x), units, dtype=torch.float64) for units in self.layers]
        self.hidden = [h * torch.from_numpy(~fresh)[:, None] for h in self.hidden]
        columns = np.concatenate([y, samples])
        top = self._forward(x)
        scores = top @ self.weights["Wy.weight"][columns].T + self.weights["By.weight"][columns, 0]
        loss = loss_of(str(self.params["loss"]), scores, self._log_q(y, samples), self) / self.number(
            "batch_size"
        )
        gradients = torch.autograd.grad(loss, list(self.weights.values()))
        self.hidden = [h.detach() for h in self.hidden]
        for (name, values), gradient in zip(self.weights.items(), gradients, strict=True):
            self._update(name, values, gradient, x, columns)
        return float(loss.detach())

    def _log_q(self, y: Ints, samples: Ints) -> Tensor:
        drawn = np.concatenate([self.support[y], self.support[samples] ** self.number("sample_alpha", 0.5)])
        return torch.from_numpy(self.number("logq") * np.log(drawn.astype(np.float64)))

    def _forward(self, x: Ints) -> Tensor:
        w = self.weights
        one_hot = "GE.Wx0.weight" in w
        tied = not one_hot and "E.weight" not in w
        inputs = None if one_hot else w["Wy.weight" if tied else "E.weight"][x]
        for i, units in enumerate(self.layers):
            h = self.hidden[i]
            if one_hot and i == 0:
                inputs = reset_before(
                    w["GE.Wx0.weight"][x] + w["GE.Bh0"], h, w["GE.Wrz0"], w["GE.Wh0"], units
                )
            else:
                assert inputs is not None
                gx = inputs @ w[f"G.{i}.weight_ih"].T + w[f"G.{i}.bias_ih"]
                gh = h @ w[f"G.{i}.weight_hh"].T + w[f"G.{i}.bias_hh"]
                inputs = reset_after(gx, gh, h, units)
            self.hidden[i] = inputs
        assert inputs is not None
        return inputs

    def _update(self, name: str, values: Tensor, gradient: Tensor, x: Ints, columns: Ints) -> None:
        touched = torch.ones(len(values), dtype=torch.bool)
        if name in ("Wy.weight", "By.weight", "E.weight", "GE.Wx0.weight"):
            tied = not {"E.weight", "GE.Wx0.weight"} & set(self.weights)
            reads = {"Wy.weight": [columns, x] if tied else [columns], "By.weight": [columns]}.get(name, [x])
            touched = torch.zeros(len(values), dtype=torch.bool)
            touched[np.concatenate(reads)] = True
        with torch.no_grad():
            sums = self.sums[name] + gradient**2
            step = self.number("momentum") * self.velocity[name]
            step = step - self.number("learning_rate") * gradient / torch.sqrt(sums + 1e-6)
            self.sums[name][touched] = sums[touched]
            self.velocity[name][touched] = step[touched]
            values[touched] += step[touched]


def reset_after(gx: Tensor, gh: Tensor, h: Tensor, units: int) -> Tensor:
    """torch.nn.GRUCell's form, gates r, z, n."""
    r = torch.sigmoid(gx[:, :units] + gh[:, :units])
    z = torch.sigmoid(gx[:, units : 2 * units] + gh[:, units : 2 * units])
    n = torch.tanh(gx[:, 2 * units :] + r * gh[:, 2 * units :])
    return (1 - z) * n + z * h


def reset_before(gx: Tensor, h: Tensor, w_rz: Tensor, w_h: Tensor, units: int) -> Tensor:
    """Cho's form, gates candidate, r, z; matrices multiply from the right."""
    rz = torch.sigmoid(gx[:, units:] + h @ w_rz)
    r, z = rz[:, :units], rz[:, units:]
    candidate = torch.tanh(gx[:, :units] + (r * h) @ w_h)
    return (1 - z) * h + z * candidate


def loss_of(name: str, scores: Tensor, log_q: Tensor, oracle: Oracle) -> Tensor:
    """Sum over lanes of the named loss on explicit columns (M, M + S)."""
    if name == "cross-entropy":
        return sum_of(
            cross_entropy(row, i, log_q, oracle.number("label_smoothing")) for i, row in enumerate(scores)
        )
    if name == "bpr-max":
        a = oracle.number("elu_param", 0.5)
        return sum_of(bpr_max(row, i, oracle.number("bpreg", 1.0), a) for i, row in enumerate(scores))
    plain = {"bpr": bpr, "top1": top1, "top1-max": top1_max}[name]
    return sum_of(plain(row, i) for i, row in enumerate(scores))


def sum_of(rows: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(rows)).sum()


def cross_entropy(row: Tensor, i: int, log_q: Tensor, e: float = 0.0) -> Tensor:
    """(1 - e n / (n - 1)) (-log p_i) + e / (n - 1) sum_j -log p_j."""
    logits = row - log_q
    minus_log_p = torch.log(torch.exp(logits - logits.max()).sum()) + logits.max() - logits
    n = len(row)
    if e == 0:
        return minus_log_p[i]
    return (1 - e * n / (n - 1)) * minus_log_p[i] + e / (n - 1) * minus_log_p.sum()


def negatives_softmax(row: Tensor, i: int) -> Tensor:
    """Softmax over every column but i."""
    mask = torch.ones_like(row)
    mask[i] = 0
    zeroed = row * mask
    weights = torch.exp(zeroed - zeroed.max()) * mask
    return weights / weights.sum()


def bpr_max(row: Tensor, i: int, bpreg: float, a: float) -> Tensor:
    """-log(sum_j sigmoid(y - r_j) s_j + 1e-24) + bpreg sum_j r_j^2 s_j."""
    r = torch.where(row > 0, row, a * (torch.exp(row.clamp(max=0)) - 1)) if a > 0 else row
    s = negatives_softmax(r, i)
    return -torch.log((torch.sigmoid(r[i] - r) * s).sum() + 1e-24) + bpreg * (r**2 * s).sum()


def bpr(row: Tensor, i: int) -> Tensor:
    """sum_j -log sigmoid(y - r_j)."""
    return -torch.log(torch.sigmoid(row[i] - row)).sum()


def top1(row: Tensor, i: int) -> Tensor:
    """mean_j(sigmoid(r_j - y) + sigmoid(r_j^2)) - sigmoid(y^2) / n."""
    terms = torch.sigmoid(row - row[i]) + torch.sigmoid(row**2)
    return terms.mean() - torch.sigmoid(row[i] ** 2) / len(row)


def top1_max(row: Tensor, i: int) -> Tensor:
    """sum_j s_j (sigmoid(r_j - y) + sigmoid(r_j^2))."""
    return (negatives_softmax(row, i) * (torch.sigmoid(row - row[i]) + torch.sigmoid(row**2))).sum()


def gbce(row: Tensor, i: int, beta: float) -> Tensor:
    """-(beta log sigmoid(y) + sum over the other columns of log(1 - sigmoid(r_j))) / n."""
    others = torch.cat([row[:i], row[i + 1 :]])
    return -(beta * torch.log(torch.sigmoid(row[i])) + torch.log(1 - torch.sigmoid(others)).sum()) / len(row)


def lane_steps(lengths: Sequence[int], n_lanes: int) -> list[list[tuple[int, int, bool]]]:
    """Per step, (session, position, fresh) of every lane in order: a queue of sessions and a list of
    walkers."""
    waiting = [session for session, length in enumerate(lengths) if length > 1]
    walkers = [[waiting.pop(0), 0] for _ in range(min(n_lanes, len(waiting)))]
    steps = []
    while walkers:
        steps.append([(session, position, position == 0) for session, position in walkers])
        moved = []
        for session, position in walkers:
            if position + 1 < lengths[session] - 1:
                moved.append([session, position + 1])
            elif waiting:
                moved.append([waiting.pop(0), 0])
        walkers = moved
    return steps
