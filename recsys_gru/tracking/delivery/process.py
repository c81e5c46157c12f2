"""Which process a thing belongs to, and whether that process still lives."""

import platform

import psutil

PROCESS = "recsys_gru.process"
"""The tag, on a run and on a trial, of the process that works on it."""
SAME_SECONDS = 5.0
"""A process number is not given twice within so short a time; the clock it is told by may be set."""


def this_process() -> str:
    """This process: its number may be given again, so the time it began belongs to its name."""
    process = psutil.Process()
    return f"{process.pid}-{int(process.create_time() * 1000)}"


def alive(process: str) -> bool:
    """Whether a process of this machine that gave itself this name still lives.

    >>> alive(this_process()), alive("1-1"), alive("waiting")
    (True, False, False)
    """
    number, _, began = process.partition("-")
    if not (number.isdigit() and began.isdigit()):
        return False
    try:
        return abs(psutil.Process(int(number)).create_time() - int(began) / 1000) < SAME_SECONDS
    except psutil.Error:
        return False


def address() -> str:
    """This process with its machine, ``machine/number-began``."""
    return f"{platform.node()}/{this_process()}"


def dead(owner: str) -> bool:
    """Whether the process of an address has gone; one on another machine nobody here can tell.

    >>> dead(address()), dead("elsewhere/1-1"), dead("")
    (False, False, False)
    """
    machine, _, process = owner.rpartition("/")
    return machine == platform.node() and bool(machine) and not alive(process)
