"""Which rows of the item tables lie in a process: all, or those of every so many'th item."""

from typing import NamedTuple

from torch import Tensor


class Share(NamedTuple):
    """The rows of items `rank`, `rank + size`, `rank + 2 size`, ...: of whatever is clicked most each process
    has as much as the others.

    >>> import torch
    >>> Share(1, 3).count(5), Share(1, 3).places(torch.tensor([4, 0, 1])).tolist()
    (2, [1, 0])
    """

    rank: int = 0
    size: int = 1

    def count(self, n_items: int) -> int:
        """How many of so many items."""
        return len(range(self.rank, n_items, self.size))

    def has(self, items: Tensor) -> Tensor:
        """Which of these items (R,)."""
        return items % self.size == self.rank

    def places(self, items: Tensor) -> Tensor:
        """The rows of those of these items (R,) that lie here."""
        return items[self.has(items)] // self.size


WHOLE = Share()
