#!/usr/bin/env python3
"""Print the oldest versions that pyproject.toml allows, as constraints of pip for `make oldest`."""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = ("serve", "redis", "export")
"""Of the optional parts, those whose tests are run; the tools of development may be new."""


def main() -> None:
    """One line for each bound, but for the packages named on the command line."""
    asked = [
        *PROJECT["dependencies"],
        *(one for extra in EXTRAS for one in PROJECT["optional-dependencies"][extra]),
    ]
    for requirement in asked:
        found = re.match(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", requirement)
        if found is None:
            sys.exit(f"{requirement} has no lower bound")
        if found[1] not in sys.argv[1:]:
            sys.stdout.write(f"{found[1]}=={found[2]}\n")


if __name__ == "__main__":
    main()
