"""`recommend`: what a saved model would show next."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.doors import require_log, require_writable
from recsys_gru.cli.options import Log, optional_log_options, threads_option
from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    import polars as pl


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@optional_log_options
@click.option("--items", help="One session: item ids with commas between, oldest first, instead of CLICKS.")
@click.option("--k", default=20, show_default=True, help="Items wanted.")
@click.option("--seen", is_flag=True, help="Items of the session itself may come again.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write: .parquet or .csv; else a table is printed."
)
@threads_option
def recommend(folder: Path, log: Log, items: str | None, k: int, seen: bool, out: Path | None) -> None:
    """Rank the next items of the sessions in CLICKS, or of one list of --items, with the model in FOLDER."""
    from recsys_gru.cli import preparing
    from recsys_gru.cli.models import load_model
    from recsys_gru.clicks import Ledger

    if items is None and log.clicks is None:
        raise ParameterError(
            "expected a click log or --items, got neither: write recommend FOLDER --items 12,7"
        )
    if log.clicks is not None:
        require_log(log.clicks)
    if out is not None:
        require_writable(out)
    model = load_model(folder)
    if items is not None:
        numbers = model.vocabulary_.ids.dtype.is_integer()
        session = [_as_number(text) if numbers else text for text in items.split(",")]
        answer = model.recommend_one(session, k, exclude_seen=not seen)
    else:
        events = preparing.events_of(log, preparing.read(log, Ledger()))
        answer = model.recommend(events, k, exclude_seen=not seen)
    _give(answer, out)


def _as_number(text: str) -> int | str:
    """An id as the log has it; what is no number stays text and is unknown to the model."""
    return int(text) if text.strip().lstrip("-").isdigit() else text


def _give(answer: "pl.DataFrame", out: Path | None) -> None:
    import polars as pl

    if out is None:
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            click.echo(str(answer))
    elif out.suffix == ".parquet":
        answer.write_parquet(out)
    else:
        answer.write_csv(out)
