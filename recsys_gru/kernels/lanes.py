"""Which event each lane reads next, in session-parallel order (Hidasi et al. 2016, section 3.1.1)."""

from recsys_gru.kernels.arrays import Items
from recsys_gru.kernels.machine.jit import kernel


@kernel
def _next_session(offsets: Items, spare: int, session: int) -> int:
    """Return the first session from this one on that has more than `spare` events."""
    while session < len(offsets) - 1 and offsets[session + 1] - offsets[session] <= spare:
        session += 1
    return session


@kernel
def seat(offsets: Items, spare: int, lanes: Items, counters: Items) -> None:
    """Seat the first sessions that have more than `spare` events, one a lane.

    `lanes` (4, B) tells the event that each lane reads next, the end of its session, whether that begins, and
    the lane of the step before that it continues; `counters` (2,) are the lanes alive and the next waiting
    session.

    Twin: a queue and walkers, tests/training/test_lanes.py::test_lanes_walk_as_the_queue_does.
    """
    for lane in range(lanes.shape[1]):
        session = _next_session(offsets, spare, counters[1])
        counters[1] = session
        if session >= len(offsets) - 1:
            break
        lanes[0, lane] = offsets[session]
        lanes[1, lane] = offsets[session + 1] - spare
        lanes[2, lane] = 1
        lanes[3, lane] = lane
        counters[0] += 1
        counters[1] += 1


@kernel
def advance(
    offsets: Items, spare: int, fewest: int, state: tuple[Items, Items], table: Items, alive: Items
) -> int:
    """Write steps until `alive` is full or fewer lanes than `fewest` are left; return how many.

    A lane whose session has ended takes the next waiting one; where none waits it is taken away, and the
    others move up. `state` is the lanes and counters of `seat`; each lane of each step adds a column to
    `table` (3, P): its event, whether a session begins, and the lane of the step before.

    Twin: a queue and walkers, tests/training/test_lanes.py::test_lanes_walk_as_the_queue_does.
    """
    lanes, counters = state
    row = 0
    for step in range(len(alive)):
        if counters[0] < max(fewest, 1):
            return step
        alive[step] = counters[0]
        left = 0
        for lane in range(alive[step]):
            table[0, row] = lanes[0, lane]
            table[1, row] = lanes[2, lane]
            table[2, row] = lanes[3, lane]
            row += 1
            event, end, fresh = lanes[0, lane] + 1, lanes[1, lane], 0
            if event >= end:
                session = _next_session(offsets, spare, counters[1])
                counters[1] = session
                if session >= len(offsets) - 1:
                    continue
                event, end, fresh = offsets[session], offsets[session + 1] - spare, 1
                counters[1] += 1
            lanes[0, left] = event
            lanes[1, left] = end
            lanes[2, left] = fresh
            lanes[3, left] = lane
            left += 1
        counters[0] = left
    return len(alive)
