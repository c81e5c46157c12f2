"""A bar on a terminal, and nothing elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(what: str, total: int, *, draw: bool) -> Iterator[Callable[[int], None]]:
    """Draw how much of a total is done; gives what is to be called with each amount that is done.

    >>> with bar("periods", 3, draw=False) as done:
    ...     done(1)
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (draw and console.is_terminal)) as progress:
        task = progress.add_task(what, total=total)
        yield lambda amount: progress.advance(task, amount)
