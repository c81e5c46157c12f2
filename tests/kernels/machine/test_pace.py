"""The number of threads follows the machine: played on machines of known speed, and for real."""

import math
import threading
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_gru.engines import at_most
from recsys_gru.kernels.machine.pace import PRICE, TURN, Pace
from recsys_gru.kernels.machine.threads import n_threads
from tests.threads import torch_threads

PIECE = 0.001
"""Seconds of a piece of work on one thread."""


class Machine:
    """A clock that pieces of work move on by what they cost on the threads that they get."""

    def __init__(self, costs: Mapping[int, float]) -> None:
        self.costs = costs
        self.now = 0.0
        self.used: Counter[int] = Counter()
        self.pace = Pace(lambda: self.now)

    def work(self, pieces: int) -> float:
        """Do some pieces; return the seconds they took."""
        began = self.now
        for _ in range(pieces):
            with self.pace.work(1):
                self.used[n_threads()] += 1
                self.now += PIECE * self.costs[n_threads()]
        return self.now - began


@settings(max_examples=25)
@given(costs=st.fixed_dictionaries({1: st.just(1.0), 2: st.floats(0.5, 10)}), pieces=st.integers(2000, 20000))
def test_tries_cost_little_more_than_the_best_number_alone(costs: dict[int, float], pieces: int) -> None:
    with torch_threads(2):
        machine = Machine(costs)
        best = pieces * PIECE * min(costs.values())
        most = max(costs.values())
        spent = machine.work(pieces)
    assert spent <= best * (1 + 2 / PRICE) + 4 * (TURN + PIECE) * most


def test_the_number_falls_when_the_machine_gets_busy_and_rises_again_after() -> None:
    with torch_threads(2):
        machine = Machine({1: 1.0, 2: 0.6})
        machine.work(5000)
        assert machine.used[2] > 4500
        machine.costs = {1: 1.0, 2: 5.0}
        machine.used.clear()
        machine.work(5000)
        assert machine.used[1] > 4800
        machine.costs = {1: 1.0, 2: 0.6}
        machine.used.clear()
        machine.work(5000)
        assert machine.used[2] > 4000


def test_of_many_threads_the_best_number_is_found_by_doubling_and_halving() -> None:
    with torch_threads(12):
        machine = Machine({1: 1.0, 2: 0.6, 3: 0.45, 4: 0.5, 6: 0.4, 8: 0.9, 12: 1.5})
        machine.work(20000)
        machine.used.clear()
        machine.work(5000)
        assert machine.used.most_common(1)[0][0] == 6
        assert machine.used[6] > 4000


def test_one_turn_that_is_held_up_changes_nothing() -> None:
    with torch_threads(2):
        machine = Machine({1: 1.0, 2: 0.6})
        machine.work(2000)
        machine.costs = {1: 1.0, 2: 20.0}
        assert machine.work(1) >= TURN
        machine.costs = {1: 1.0, 2: 0.6}
        machine.used.clear()
        machine.work(1000)
        assert machine.used[2] > 900


def test_work_unlike_the_rest_is_not_judged() -> None:
    with torch_threads(2):
        machine = Machine({1: 1.0, 2: 0.6})
        machine.work(2000)
        machine.used.clear()
        for _ in range(1000):
            with machine.pace.work(0):
                machine.used[n_threads()] += 1
                machine.now += 5 * PIECE
        machine.work(1000)
        assert machine.used[2] > 1900


def test_a_portion_ends_the_turn() -> None:
    with torch_threads(2):
        machine = Machine({1: 1.0, 2: 0.5})
        assert machine.pace.portion == 0
        machine.work(200)
        rest = machine.pace.portion
        assert 10 < rest < TURN / (0.5 * PIECE)
        machine.work(10)
        assert machine.pace.portion == pytest.approx(rest - 10)


def test_one_thread_is_left_alone() -> None:
    with torch_threads(1):
        machine = Machine({1: 1.0})
        assert machine.work(100) == pytest.approx(100 * PIECE)
        assert machine.pace.portion == math.inf


def test_a_limit_holds_inside_and_nowhere_else() -> None:
    seen: list[int] = []
    with torch_threads(3):
        with at_most(2), at_most(5):
            assert n_threads() == 2
            other = threading.Thread(target=lambda: seen.append(n_threads()))
            other.start()
            other.join()
        assert n_threads() == 3
        assert seen == [3]


def test_a_piece_that_fails_leaves_the_limit_as_it_was() -> None:
    with torch_threads(2):
        with pytest.raises(ZeroDivisionError), Pace().work(1):
            _ = 1 / 0
        assert n_threads() == 2
