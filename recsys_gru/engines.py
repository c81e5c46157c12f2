"""What moves work to where it is done: this process and its threads, or other ones on an engine that exists.

The work itself is plain functions, the same on every engine. An engine is anything with the attributes and
methods of ``Engine``; the room ``cluster`` has the one of Ray.
"""

import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Protocol, TypeAlias, TypeVar, cast, final

from recsys_gru.arguments import shown
from recsys_gru.errors import ParameterError

Task = TypeVar("Task")
Result = TypeVar("Result")
NAMES = ("local", "ray")
PARTS = 4
"""Parts of some work for each worker: who is slow gets fewer."""
_limit: ContextVar[float] = ContextVar("limit", default=math.inf)


class Engine(Protocol):
    """Moves tasks to workers and their results back."""

    @property
    def workers(self) -> int:
        """How many tasks are done at once."""

    @property
    def lasting(self) -> bool:
        """Whether work takes so long that what a killed caller left is worth keeping."""

    @property
    def parts(self) -> int:
        """Into how many parts some work is cut."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of a function, in the order of its tasks; an error of the function is raised here."""

    def lend(self, model: Any) -> Callable[[], Any]:  # noqa: ANN401 - any model
        """What gives the model wherever it is called."""


EngineLike: TypeAlias = "str | Engine"
"""`"local"`, `"ray"`, or an engine."""


@final
class Local:
    """This process, one task after the other.

    >>> list(Local().map(abs, [-1, 2]))
    [1, 2]
    """

    workers = 1
    parts = 1
    lasting = False

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Each result when it is asked for."""
        return map(function, tasks)

    def lend(self, model: Any) -> Callable[[], Any]:  # noqa: ANN401 - any model
        """The model itself."""
        return lambda: model


@contextmanager
def engine_in(engine: EngineLike) -> Iterator[Engine]:
    """The engine that a caller named, until the end of the work; one that was given stays as it is.

    Raises:
        ParameterError: it is none, or its library is not installed.

    >>> with engine_in("local") as engine:
    ...     engine.workers
    1
    """
    if isinstance(engine, str) and engine == "ray":
        started = importlib.import_module("recsys_gru.cluster").Ray()
        with cast("AbstractContextManager[Engine]", started) as one:
            yield one
    elif isinstance(engine, str) and engine == "local":
        yield Local()
    elif callable(getattr(engine, "map", None)) and callable(getattr(engine, "lend", None)):
        yield cast("Engine", engine)
    else:
        raise ParameterError(
            f"expected engine to be one of {', '.join(NAMES)}, or an engine, got {shown(engine)}"
        )


def threads_here() -> int:
    """How many threads work may use here: `torch.get_num_threads()`, or fewer as ``at_most`` says."""
    import torch

    return int(min(torch.get_num_threads(), _limit.get()))


@contextmanager
def at_most(count: float) -> Iterator[None]:
    """Let work use so many threads and no more, meanwhile and here: other Python threads are not told.

    >>> with at_most(1):
    ...     threads_here()
    1
    """
    token = _limit.set(min(count, _limit.get()))
    try:
        yield
    finally:
        _limit.reset(token)


def on_threads(function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """The results of a function, in the order of its tasks, which have nothing to do with each other: this
    thread takes one after the other, and with it as many more as there are (``threads_here``), which kernels
    share.

    After an error of the function, which is raised, no other task is begun.

    >>> on_threads(abs, [-1, 2])
    [1, 2]
    """
    most = threads_here()
    count = max(1, min(most, len(tasks)))
    results: dict[int, Result] = {}
    left = iter(list(enumerate(tasks)))  # a list gives each to one thread only

    def work() -> None:
        for place, task in left:
            try:
                results[place] = function(task)
            except BaseException:
                list(left)  # nothing is left to others
                raise

    with at_most(most // count), ThreadPoolExecutor(count, "recsys-gru") as pool:
        others = [pool.submit(copy_context().run, work) for _ in range(count - 1)]
        work()
    for other in others:
        other.result()
    return [results[place] for place in range(len(tasks))]


def both(one: Callable[[], Result], other: Callable[[], Task]) -> tuple[Result, Task]:
    """The results of two pieces of work, done as ``on_threads`` does tasks.

    >>> both(dict, list)
    ({}, [])
    """
    results: list[Any] = on_threads(lambda work: work(), (one, other))
    return results[0], results[1]
