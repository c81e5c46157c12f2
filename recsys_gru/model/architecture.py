"""What fixes the shape of every parameter of a network."""

from dataclasses import dataclass
from typing import Literal

from recsys_gru.model.cells import CELLS, Cell, GRUResetBefore

InputMode = Literal["tied", "separate", "one-hot"]


@dataclass(frozen=True)
class Architecture:
    """What fixes the shape of every parameter."""

    n_items: int
    layers: tuple[int, ...]
    mode: InputMode = "tied"
    embedding: int = 0
    """Width of the separate input table."""
    cell: str = "gru"
    scale: float = 0.0
    """Of cosine scores; 0 for dot products."""
    look_back: int = 0
    """Clicks whose input rows are scored for beside the state."""
    repeats: int = 0
    """Clicks whose items have something added to their scores."""

    def cells(self) -> list[Cell]:
        """Return the cell of each layer; a one-hot input makes the first layer of "gru" the reset-before
        cell."""
        kinds = [CELLS[self.cell] for _ in self.layers]
        if self.mode == "one-hot" and self.cell == "gru":
            kinds[0] = GRUResetBefore
        return [kind(units) for kind, units in zip(kinds, self.layers, strict=True)]

    def input_widths(self) -> list[int]:
        """Return the width of each layer's input; 0 where the input is a looked-up row of gates."""
        first = {"tied": self.layers[-1], "separate": self.embedding, "one-hot": 0}[self.mode]
        return [first, *self.layers[:-1]]
