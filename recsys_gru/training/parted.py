"""The learner whose item tables are divided among processes, as its lanes are: each holds and changes every
so many'th row, and the memory of it."""

from dataclasses import replace

import torch
from torch import Tensor

from recsys_gru.model.candidates import Rows
from recsys_gru.model.near import among_themselves, looked_up
from recsys_gru.model.rows import RowGradient
from recsys_gru.model.walk import Flow
from recsys_gru.training.divided import DividedLearner


class PartedLearner(DividedLearner):
    """Learns a window from the rows that all have told each other, the way one process learns it; then each
    changes its own. Gradients of rows are not told, as all know the factors that they are the product of.
    """

    def update(self, rows: Rows, flow: Flow) -> float:
        items, inputs = looked_up(self.network, rows)
        whose = items | {"bias": rows.rows}
        tables = self._gathered(whose)
        window = self.network.of_tables(tables)
        loss, gradients = self._gradients(window, among_themselves(rows, inputs), flow)
        for name, bias, gradient in self._clipped(gradients, self.optimiser.parameters | tables):
            own = self._own(gradient, whose[name]) if name in whose else gradient
            if own.rows is None or len(own.rows):
                self.optimiser.apply(name, bias, own)
        return loss

    def _gathered(self, whose: dict[str, Tensor]) -> dict[str, Tensor]:
        """The rows of these items (R,) of each table, from the processes that have them."""
        share, tables = self.network.share, self.network.tables
        mine = [tables[name].index_select(0, share.places(items)).flatten() for name, items in whose.items()]
        found = {
            name: tables[name].new_empty(len(items), tables[name].shape[1]) for name, items in whose.items()
        }
        theirs = [
            {name: share._replace(rank=rank).has(items) for name, items in whose.items()}
            for rank in range(share.size)
        ]
        sizes = [[int(there.sum()) * found[name].shape[1] for name, there in of.items()] for of in theirs]
        told = self.exchange.gather(torch.cat(mine), [sum(of) for of in sizes])
        for of, lengths, values in zip(theirs, sizes, told, strict=True):
            for (name, there), part in zip(of.items(), torch.split(values, lengths), strict=True):
                found[name][there] = part.view(-1, found[name].shape[1])
        return found

    def _own(self, gradient: RowGradient, items: Tensor) -> RowGradient:
        """The part of a gradient of a window's rows, those of these items (R,), that falls to rows here."""
        whose = items[gradient.rows]
        here = self.network.share.has(whose)
        scored = here[: gradient.delta.shape[1]]
        part = replace(gradient, delta=gradient.delta.T[scored].T, rows=self.network.share.places(whose))
        if gradient.inputs is None:
            return part
        at, added = gradient.inputs
        mine = (at >= 0) & here[at]  # -1, of none, looks at the last
        places = (here.cumsum(0) - 1)[at[mine]]
        return replace(part, inputs=(places, added[mine]))
