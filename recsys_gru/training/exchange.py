"""What processes that train one model together tell each other, over torch.distributed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from recsys_gru.errors import ParameterError

PATIENCE = timedelta(minutes=10)
"""How long a process waits for one that does not answer; one that has ended it notices at once."""


class Exchange:
    """This process among those that train together: number `rank` of `size`. Alone it has nobody to tell.

    >>> Exchange().add(torch.ones(2)).tolist(), Exchange().all("me")
    ([1.0, 1.0], ['me'])
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @classmethod
    def of_group(cls) -> "Exchange":
        """Among the processes that torch.distributed has been told of; raises ParameterError if of none."""
        if not dist.is_initialized():
            raise ParameterError(
                "parallel needs a group of processes, and this one is in none. What to do: start `torchrun "
                "--standalone --nproc-per-node 2 --no-python recsys-gru fit CLICKS --parallel fast`, or call "
                "torch.distributed.init_process_group() before fit, as Ray Train does by itself"
            )
        return cls(dist.get_rank(), dist.get_world_size())

    def add(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, the same bits in each, in the place of the values."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, values: Tensor, lengths: list[int]) -> list[Tensor]:
        """Return the values (L,) of each process, which has so many."""
        if self.size == 1:
            return [values]
        padded = values.new_zeros(max(lengths))
        padded[: len(values)] = values
        told = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(told, padded)
        return [one[:length] for one, length in zip(told, lengths, strict=True)]

    def any(self, holds: bool) -> bool:
        """Whether it holds in any process."""
        return bool(self.add(torch.tensor([int(holds)])))

    def all(self, value: Any) -> list[Any]:  # noqa: ANN401 - whatever is told
        """Return every process's value, by rank."""
        told = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(told, value)
        return told

    def of_first(self, value: Any) -> Any:  # noqa: ANN401 - whatever is told
        """Return the first process's value."""
        told = [value]
        if self.size > 1:
            dist.broadcast_object_list(told)
        return told[0]


@contextmanager
def together(patience: timedelta = PATIENCE) -> Iterator[Exchange]:
    """Join the processes that torchrun has started, until the end."""
    try:
        store, rank, size = next(rendezvous("env://", timeout=patience))
    except ValueError as error:
        raise ParameterError(
            f"this process does not know the others ({error}). What to do: start it by torchrun"
        ) from error
    # torchrun keeps the store when it starts all again, and in it where those that have ended could be found
    start = f"recsys-gru {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    store = dist.PrefixStore(start, store)  # type: ignore[attr-defined] # public, but named in no list
    dist.init_process_group(store=store, rank=rank, world_size=size, timeout=patience)
    try:
        yield Exchange.of_group()
    finally:
        dist.destroy_process_group()
