"""What `make schedule` loads: the definitions for the settings file that RECSYS_SETTINGS names."""

import os
from pathlib import Path

from pipelines.dagster_assets import definitions
from pipelines.settings import DEFAULT, read_settings

defs = definitions(read_settings(Path(os.environ.get("RECSYS_SETTINGS", DEFAULT))))
