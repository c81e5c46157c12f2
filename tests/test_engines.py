"""Work on threads: results in order, as many threads as there are, errors and contexts as without."""

import threading
from contextvars import ContextVar

import pytest

from recsys_gru.engines import both, on_threads
from recsys_gru.kernels.machine.threads import n_threads
from tests.threads import torch_threads

asked: ContextVar[str] = ContextVar("asked", default="nobody")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_are_in_the_order_of_the_tasks_and_kernels_share_the_threads(threads: int) -> None:
    met = threading.Barrier(threads)

    def work(task: int) -> tuple[int, int]:
        if task < threads:
            met.wait(20)  # none goes on before so many are at work
        return task, n_threads()

    with torch_threads(threads):
        found = on_threads(work, range(7))
        assert n_threads() == threads
    assert found == [(task, 1) for task in range(7)]


def test_few_tasks_leave_threads_to_kernels() -> None:
    with torch_threads(4):
        assert on_threads(lambda _: n_threads(), [0]) == [4]
        assert on_threads(lambda _: n_threads(), [0, 1]) == [2, 2]
        assert on_threads(lambda _: n_threads(), []) == []


def test_on_one_thread_all_is_done_where_it_was_asked() -> None:
    with torch_threads(1):
        assert set(on_threads(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("broken", [0, 1])
def test_an_error_is_raised_and_nothing_is_begun_after_it(threads: int, broken: int) -> None:
    begun, failed = [], threading.Event()

    def work(task: int) -> None:
        begun.append(task)
        if task == broken:
            failed.set()
            raise ValueError("broken")
        if threads > 1:
            assert failed.wait(20)

    with torch_threads(threads), pytest.raises(ValueError, match="broken"):
        on_threads(work, range(100))
    assert len(begun) <= broken + threads


def test_threads_know_what_their_caller_does() -> None:
    token = asked.set("somebody")
    with torch_threads(2):
        assert both(asked.get, asked.get) == ("somebody", "somebody")
    asked.reset(token)
