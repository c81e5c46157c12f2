"""Ray as an engine: a worker for each core of the cluster, files on a folder that all machines share."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

from recsys_gru.arguments import place, shown, whole_number
from recsys_gru.engines import PARTS
from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    from types import TracebackType

    import ray

Task = TypeVar("Task")
Result = TypeVar("Result")
RETRIES = 3
"""How often a task begins anew whose worker died."""
PATIENCE = 60
"""Seconds in which tasks that are not wanted any more come to their end."""
_THREADS = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_ONE_THREAD = dict.fromkeys(_THREADS, "1")
"""A worker has one core."""


@final
class Ray:
    """The workers of a Ray cluster, one for each of its cores.

    The cluster is the one that this program has joined, or that ``RAY_ADDRESS`` names, or one on this machine
    that begins and ends with the ``with``. Tasks go to whoever is free, as many at once as there are workers;
    a task whose worker is killed begins anew elsewhere. Their answers are small: what is large lies in files,
    so paths must mean the same on all machines.

    Args:
        folder: where models are lent from, shared by all machines; a temporary one where None, which does
            for one machine.
        workers: how many at most work for this program; all there are where None.

    Raises:
        ParameterError: Ray is not installed, or an argument is impossible.
    """

    lasting = True

    def __init__(self, folder: str | Path | None = None, workers: int | None = None) -> None:
        self._folder = None if folder is None else Path(place("folder", folder)).absolute()
        self._most = None if workers is None else whole_number("workers", workers, 1)
        self._ray = _imported()
        self._began = False

    def __enter__(self) -> "Ray":
        """Join the cluster, or begin one."""
        if not self._ray.is_initialized():
            self._ray.init(include_dashboard=False, log_to_driver=False, logging_level="warning")
            self._began = True
        self._lent = Path(tempfile.mkdtemp(prefix="lent-", dir=self._folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        """Leave it; one that was begun here ends."""
        shutil.rmtree(self._lent, ignore_errors=True)
        if self._began:
            self._ray.shutdown()
            self._began = False

    @property
    def workers(self) -> int:
        """How many tasks are done at once."""
        return self._most or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    @property
    def parts(self) -> int:
        """Several for each worker."""
        return PARTS * self.workers

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The results of a function, in the order of its tasks; an error of the function is raised here."""
        ray, waiting = self._ray, enumerate(tasks)
        begin = ray.remote(max_retries=RETRIES, num_cpus=1, runtime_env={"env_vars": _ONE_THREAD})(
            _call
        ).remote
        lent, running, done, turn = ray.put(function), {}, {}, 0
        try:
            for number, task in islice(waiting, self.workers):
                running[begin(lent, task)] = number
            while running:
                ended, _ = ray.wait([*running], num_returns=1)
                done[running.pop(ended[0])] = self._result(ended[0])
                for number, task in islice(waiting, 1):
                    running[begin(lent, task)] = number
                while turn in done:
                    yield done.pop(turn)
                    turn += 1
        finally:
            if running:  # an error, or nobody wants the rest
                for one in running:
                    ray.cancel(one)
                ray.wait([*running], num_returns=len(running), timeout=PATIENCE)

    def _result(self, ended: "ray.ObjectRef[Result]") -> Result:
        try:
            result: Result = self._ray.get(ended)
        except self._ray.exceptions.RayTaskError as error:
            raise getattr(error, "cause", None) or error from None
        return result

    def lend(self, model: Any) -> Callable[[], Any]:  # noqa: ANN401 - any model
        """What gives the model to a worker, which loads it once.

        Raises:
            ParameterError: it is none that can be saved.
        """
        if not callable(getattr(model, "save", None)):
            raise ParameterError(f"expected a model with save and load for workers, got {shown(model)}")
        folder = tempfile.mkdtemp(dir=self._lent)
        model.save(Path(folder) / "model")
        return _Lent(str(Path(folder) / "model"))


@final
@dataclass(frozen=True)
class _Lent:
    """A saved model."""

    path: str

    def __call__(self) -> object:
        return _loaded(self.path)


@lru_cache(maxsize=1)
def _loaded(path: str) -> object:
    return importlib.import_module("recsys_gru").load(path)


def _call(function: Callable[[Task], Result], task: Task) -> Result:
    return function(task)


def _imported() -> Any:  # noqa: ANN401 - a module that need not be there
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ParameterError(
            'the engine "ray" needs its library, on every machine of the cluster: pip install '
            "'recsys-gru[cluster]'"
        ) from error
