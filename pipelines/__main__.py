"""``python -m pipelines``: the commands of the nightly job in a checkout."""

from .command_line import main

if __name__ == "__main__":
    main()
