"""``python -m pipelines``: the command line in a checkout."""

import sys

from .command_line import main

if __name__ == "__main__":
    sys.exit(main())
