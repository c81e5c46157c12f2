"""`export`: a model for those who run it without this library."""

from pathlib import Path

import click

from recsys_gru.cli.options import threads_option
from recsys_gru.errors import ParameterError


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "onnx-int8", "vectors"]),
    default="onnx",
    show_default=True,
    help="Graphs; the same with a byte a number; or vectors for a vector store, and graphs for queries.",
)
@click.option(
    "--member", type=click.IntRange(0), help="Of a blend, which of its models: 0 is the first; unmixed."
)
@threads_option
def export(model: Path, folder: Path, form: str, member: int | None) -> None:
    """Write the GRU4Rec in MODEL to FOLDER as ONNX graphs; docs/export.md tells their inputs and outputs."""
    from recsys_gru.cli.models import load_model
    from recsys_gru.exporting import export as write

    found = load_model(model)
    if member is not None:
        members = vars(found).get("members_", ())
        if member >= len(members):
            raise ParameterError(
                f"expected --member below {len(members)}, got {member}: {model} holds a "
                f"{type(found).__name__} of {len(members)} members"
            )
        found = members[member]
    write(found, folder, form)
    click.echo(f"written    {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
