"""What `make schedule` runs: Dagster's daemon and pages on this machine, until it is told to stop."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

from pipelines.settings import Settings

INSTANCE = Path(__file__).with_name("deploy") / "dagster.yaml"


def start_schedule(settings: Settings, port: int) -> NoReturn:
    """Become Dagster, with its history in ``work/schedule``; Ctrl-C and SIGTERM stop it with its children.

    Dagster treats SIGTERM as it found SIGINT: started in the background of a script, where shells have
    SIGINT ignored, it could not be stopped at all. So SIGINT is made usual again first.
    """
    home = settings.work.folder / "schedule"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE, home / INSTANCE.name)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    dagster = [sys.executable, "-m", "dagster", "dev", "--module-name", "pipelines.schedule"]
    known = {"DAGSTER_HOME": str(home), "RECSYS_SETTINGS": str(settings.file)}
    os.execve(  # noqa: S606 - fixed words, no shell
        sys.executable, [*dagster, "--port", str(port)], {**os.environ, **known}
    )
