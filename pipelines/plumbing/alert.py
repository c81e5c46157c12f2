"""Wake somebody: a program of the settings gets the message on its standard input."""

import logging
import subprocess

from .events import say
from .settings import Settings

SECONDS = 30.0


def alert(settings: Settings, message: str) -> None:
    """Send a message; that it cannot be sent is noted and stops nothing."""
    command = settings.alerts.command
    if not command:
        return
    try:
        subprocess.run(command, input=message, text=True, timeout=SECONDS, check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError) as error:
        say("alert not sent", level=logging.ERROR, command=" ".join(command), why=str(error))
