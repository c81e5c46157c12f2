"""A fitted network whose item tables lie in several processes, and how it is saved: the first process asks
for stretches of rows and writes them, the others tell them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from recsys_gru.errors import BundleError
from recsys_gru.model.network import Network
from recsys_gru.model.optimisers import Slots
from recsys_gru.recommender.layout import arrays_of
from recsys_gru.training import Exchange

STRETCH = 1 << 14
"""Rows that a process tells at once."""


class _Asked(NamedTuple):
    """Items from one on of an array."""

    name: str
    begin: int


@dataclass(frozen=True)
class Parts:
    """What this process has of the network and of the optimiser's memory, among those that have the rest."""

    network: Network
    slots: Mapping[str, Slots]
    exchange: Exchange

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of the whole network; those of items come stretch by stretch."""
        found = arrays_of(self.network, self.slots)
        for name, values in found.items():
            if self._is_divided(name):
                found[name] = cast("NDArray[np.generic]", Told(self, name, values))  # written as one is
        return found

    def _is_divided(self, name: str) -> bool:
        return name.split("/")[1] in self.network.tables

    @contextmanager
    def asking(self) -> Iterator[None]:
        """In the first process: ask for rows meanwhile, and tell the others how it ended."""
        said = "the first process ended"
        try:
            yield
            said = ""
        except Exception as error:
            said = str(error)
            raise
        finally:
            self.exchange.of_first(said)

    def tell(self) -> None:
        """In the others: tell the rows that the first process asks for, until it has all.

        Raises:
            BundleError: if the first process could not save them.
        """
        mine = arrays_of(self.network, self.slots)
        while isinstance(asked := self.exchange.of_first(None), _Asked):
            self._rows(asked, mine[asked.name])
        if asked:
            raise BundleError(f"the first process could not save the model: {asked}")

    def rows(self, name: str, begin: int, mine: NDArray[np.generic]) -> NDArray[np.generic]:
        """In the first process: the rows of the next items from one on, all that are told at once."""
        return self._rows(self.exchange.of_first(_Asked(name, begin)), mine)

    def _rows(self, asked: _Asked, mine: NDArray[np.generic]) -> NDArray[np.generic]:
        size, n_items = self.exchange.size, self.network.architecture.n_items
        end = min(asked.begin + STRETCH * size, n_items)
        first = asked.begin // size
        counts = [len(range(asked.begin + rank, end, size)) for rank in range(size)]
        own = torch.from_numpy(mine[first : first + counts[self.exchange.rank]]).flatten()
        found = np.empty((end - asked.begin, mine.shape[1]), mine.dtype)
        told = self.exchange.gather(own, [count * mine.shape[1] for count in counts])
        for rank, values in enumerate(told):
            found[rank::size] = values.numpy().reshape(-1, mine.shape[1])
        return found


class Told:
    """An array of all items, of which this process has a part, as it is written: stretch by stretch."""

    def __init__(self, parts: Parts, name: str, mine: NDArray[np.generic]) -> None:
        self._parts, self._name, self._mine = parts, name, mine
        self.dtype, self.shape = mine.dtype, (parts.network.architecture.n_items, mine.shape[1])

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        begin = 0
        while begin < self.shape[0]:
            rows = self._parts.rows(self._name, begin, self._mine)
            yield rows
            begin += len(rows)
