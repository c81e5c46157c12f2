"""Wake somebody: a program of the settings gets the message on its standard input."""

import logging
import subprocess

from recsys_gru import errors

from .events import say
from .settings import Settings

SECONDS = 30.0


def alert(settings: Settings, message: str) -> None:
    """Send a message; that it cannot be sent is noted and stops nothing."""
    command = settings.alerts.command
    if not command:
        return
    try:
        subprocess.run(
            command,
            input=errors.without_secrets(message),
            text=True,
            timeout=SECONDS,
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        say("alert not sent", level=logging.ERROR, command=command[0], why=_said(error))


def _said(error: Exception) -> str:
    """What went wrong; never the arguments, which may hold a token."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with exit code {error.returncode}: {error.stderr}"
    return f"no end within {SECONDS:.0f} s" if isinstance(error, subprocess.TimeoutExpired) else str(error)
