"""What can go wrong, and the exit code that says so."""

DONE, REFUSED, BAD_INPUT, FAILED, LOCKED = 0, 1, 2, 3, 75
"""Exit codes: all done; the gate refused; bad input or settings; a stage failed; another run is at work."""


STOPS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a process on purpose, and is no failure: nobody catches it."""


class PipelineError(Exception):
    """The root: a stage failed, the champion stays.

    Attributes:
        exit_code: what the process ends with.
    """

    exit_code = FAILED


class BadInputError(PipelineError):
    """The landed clicks or the settings cannot be used."""

    exit_code = BAD_INPUT


class MissingStageError(PipelineError):
    """A stage was asked for whose input has not been made."""

    exit_code = BAD_INPUT


class LockedError(PipelineError):
    """Another run holds the lock."""

    exit_code = LOCKED


class NotYetError(PipelineError):
    """In a dry run: the stage has not been done."""

    exit_code = DONE
