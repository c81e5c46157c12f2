"""`verify`: the equivalence certificate."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.options import threads_option
from recsys_gru.cli.printing import table

if TYPE_CHECKING:
    from recsys_gru.recommender.verify import CaseResult

HEAD = ("case", "steps", "loss", "weights", "metrics", "lanes", "")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON, for machines.")
@threads_option
def verify(folder: Path | None, as_json: bool) -> None:
    """Replay recorded trajectories in FOLDER, or those shipped with the package, and print every difference.

    Loss: the largest relative difference of a step; weights and metrics: the largest absolute difference. The
    exit code is 1 if any is above its tolerance (1e-4, 1e-3, 1e-6).
    """
    from recsys_gru.recommender.verify import verify as replay

    results = list(replay(folder))
    if as_json:
        click.echo(json.dumps([asdict(result) | {"passed": result.passed} for result in results], indent=1))
    else:
        click.echo(table(HEAD, [_row(result) for result in results]))
    if not all(result.passed for result in results):
        sys.exit(1)


def _row(result: "CaseResult") -> tuple[str, ...]:
    metrics = "-" if result.metrics is None else f"{result.metrics:.1e}"
    lanes = {None: "-", True: "equal", False: "DIFFERENT"}[result.lanes]
    figures = (str(result.steps), f"{result.loss:.1e}", f"{result.weights:.1e}", metrics, lanes)
    return (result.name, *figures, "ok" if result.passed else "FAILED")
