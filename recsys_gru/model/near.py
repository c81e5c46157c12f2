"""Items' rows with their facts added, and learning with them: a window's items make a small network of their
own, in whose rows the facts are, and the gradients of these rows flow on into the items' own and the facts'.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recsys_gru.kernels import facts as kernels
from recsys_gru.kernels.machine.threads import n_threads
from recsys_gru.kernels.products import on_kernels, turned
from recsys_gru.kernels.terms import label_gradients
from recsys_gru.model.candidates import Rows
from recsys_gru.model.composed import entries, numbers_of
from recsys_gru.model.dropout import Dropout
from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.model.rows import RowGradient

Gradient = tuple[str, str | None, RowGradient]
"""The names of a parameter and of its bias, and the gradient of both."""


class Near(NamedTuple):
    """A window's items numbered among themselves."""

    network: Network
    """Of their rows alone, facts and all; its layers are those of the whole one."""
    rows: Rows
    items: dict[str, Tensor]
    """Of each of its tables, the items (R,) in the whole one."""
    kept: dict[str, Tensor | None]
    """Of each, whose own rows (R,) were not dropped, not 0; None for all."""


def near(network: Network, rows: Rows, dropout: Dropout) -> Near:
    """Gather what a window reads and changes; what is left of a row whose own part is dropped are facts."""
    items, inputs = looked_up(network, rows)
    kept = {name: dropout.mask(network.tables["bias"][chosen, 0]) for name, chosen in items.items()}
    tables = {name: network.rows_of(name, chosen, kept[name]) for name, chosen in items.items()}
    tables["bias"] = network.tables["bias"][rows.rows]
    return Near(network.of_tables(tables), among_themselves(rows, inputs), items, kept)


def looked_up(network: Network, rows: Rows) -> tuple[dict[str, Tensor], Tensor]:
    """Of each table but the bias the items (R,) that a window looks up, and the places of its inputs among
    them, -1 for none."""
    items = {"output": rows.rows}
    inputs = rows.input_at
    if network.architecture.mode != "tied":
        there = rows.inputs >= 0
        items["input"], places = torch.unique(rows.inputs[there], return_inverse=True)
        inputs = torch.full_like(rows.inputs, -1)
        inputs[there] = places
    return items, inputs


def among_themselves(rows: Rows, inputs: Tensor) -> Rows:
    """The same rows, as numbered in tables of them alone."""
    return rows._replace(rows=torch.arange(len(rows.rows), device=rows.rows.device), inputs=inputs)


def through_facts(
    network: Network, facts: Facts, window: Near, gradients: list[Gradient]
) -> Iterator[Gradient]:
    """Yield the gradients of a whole network's parameters, given those of a window's."""
    for name, bias, gradient in gradients:
        if name not in window.items:
            yield name, bias, gradient
            continue
        items = window.items[name]
        whole = _of_rows(gradient, window.network.tables[name])  # (R, D)
        kept = window.kept[name]
        own = whole if kept is None else whole.masked_fill((kept == 0)[:, None], 0)
        yield name, None, RowGradient.of_each(own, items)
        if bias is not None:
            sums = _of_biases(gradient)
            yield bias, None, RowGradient.of_each(sums, items[: len(sums)])
        labels, projection = (network.added[f"{name}.{kind}"] for kind in ("labels", "projection"))
        if len(labels):
            distinct, sums = _of_labels(facts, items, len(labels), whole)
            yield f"facts.{name}.labels", None, RowGradient.of_each(sums, distinct)
        if len(projection):
            numbers = numbers_of(facts, items, whole)
            yield f"facts.{name}.projection", None, RowGradient(numbers, whole)


def _of_rows(gradient: RowGradient, rows: Tensor) -> Tensor:
    if not on_kernels(rows) or gradient.inputs is None:
        return gradient.of_rows(rows)
    out, (at, added) = torch.empty_like(rows), (part.numpy() for part in gradient.inputs)
    delta, operand = turned(gradient.delta).numpy(), gradient.operand.numpy()
    factors = delta, operand, at, added, np.float32(gradient.length)
    kernels.row_gradients(rows.numpy(), factors, out.numpy(), n_threads())
    return out


def _of_biases(gradient: RowGradient) -> Tensor:
    """The gradients (U, 1) of the first rows' biases."""
    if not on_kernels(gradient.delta):
        return gradient.of_biases()[:, None]
    return torch.from_numpy(kernels.bias_gradients(turned(gradient.delta).numpy()))


def _of_labels(facts: Facts, items: Tensor, n_labels: int, gradient: Tensor) -> tuple[Tensor, Tensor]:
    if on_kernels(gradient):
        found = label_gradients(facts, items.numpy(), n_labels, gradient.numpy(), n_threads())
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])
    owner, labels, weights = entries(facts, items, gradient)
    distinct, places = torch.unique(labels, return_inverse=True)
    sums = gradient.new_zeros(len(distinct), gradient.shape[1])
    return distinct, sums.index_add_(0, places, weights[:, None] * gradient[owner])
