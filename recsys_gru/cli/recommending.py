"""`recommend`: what a saved model would show next."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recsys_gru.cli.doors import require_log
from recsys_gru.cli.facts import ItemsFile, name_option
from recsys_gru.cli.options import LENGTH, Log, engine_option, optional_log_options, threads_option
from recsys_gru.errors import ParameterError

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru.sessions import Vocabulary

FORMULA = r"^[\t\r]*[=+@-]"
"""How ids begin that spreadsheets take for formulas."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@optional_log_options
@click.option("--items", help="One session: item ids with commas between, oldest first, instead of CLICKS.")
@click.option("--k", type=LENGTH, default=20, show_default=True, help="Items wanted.")
@click.option("--seen", is_flag=True, help="Items of the session itself may come again.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write: .parquet or .csv; else a table is printed."
)
@click.option(
    "--names",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Items file whose names are printed beside the ids; else those that the model was fitted with.",
)
@name_option
@engine_option
@threads_option
def recommend(
    folder: Path,
    log: Log,
    items: str | None,
    k: int,
    seen: bool,
    out: Path | None,
    names: Path | None,
    called: str | None,
    engine: str,
) -> None:
    """Rank the next items of the sessions in CLICKS, or of one list of --items, with the model in FOLDER."""
    from recsys_gru.cli import preparing
    from recsys_gru.cli.models import load_model
    from recsys_gru.clicks import Ledger

    if items is None and log.clicks is None:
        raise ParameterError(
            "expected a click log or --items, got neither: write recommend FOLDER --items 12,7"
        )
    if items is not None and log.clicks is not None:
        raise ParameterError(f"expected a click log or --items, got both: leave out {log.clicks} or --items")
    if log.clicks is not None:
        require_log(log.clicks)
    if out is not None:
        _require_writable(out)
    model = load_model(folder)
    vocabulary = ItemsFile(names, {}, called).naming(model.vocabulary_)
    if items is not None:
        numbers = model.vocabulary_.ids.dtype.is_integer()
        session = [_as_number(text) if numbers else text for text in items.split(",")]
        answer = model.recommend_one(session, k, exclude_seen=not seen)
    else:
        events = preparing.events_of(log, preparing.read(log, Ledger(), model.vocabulary_))
        answer = model.recommend(events, k, exclude_seen=not seen, engine=engine)
    _give(answer if out is not None else _with_names(answer, vocabulary), out)


def _with_names(answer: "pl.DataFrame", vocabulary: "Vocabulary") -> "pl.DataFrame":
    """The answer with what people call its items, where they call some anything."""
    import polars as pl

    names = vocabulary.names_of(answer["item_id"].unique().to_list())
    if not names:
        return answer
    column = pl.Series("name", [names.get(one) for one in answer["item_id"].to_list()], pl.String)
    return answer.insert_column(answer.columns.index("item_id") + 1, column)


def _as_number(text: str) -> int:
    """An id as a log of whole numbers has it.

    Raises:
        ParameterError: if it is none, so that it could not be known to the model.

    >>> _as_number(" -5")
    -5
    """
    from recsys_gru.errors import ParameterError

    if not re.fullmatch(r"\s*-?[0-9]{1,19}\s*", text):
        raise ParameterError(f"expected --items as whole numbers, as the model's ids are; got {text!r}")
    return int(text)


def _give(answer: "pl.DataFrame", out: Path | None) -> None:
    import polars as pl

    if out is None:
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            click.echo(str(answer))
        return
    with out.open("wb") as file:
        if out.suffix.lower() == ".parquet":
            answer.write_parquet(file)
        else:
            answer.write_csv(file)
    if out.suffix.lower() != ".parquet" and (count := _formulas(answer)):
        click.echo(
            f"{count} ids in {out} begin with =, +, - or @: a spreadsheet would run them as formulas. Import "
            "those columns as text, or write .parquet",
            err=True,
        )


def _require_writable(out: Path) -> None:
    """Find out before the work is done that its place is none."""
    from recsys_gru.errors import InputError

    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(
            f"cannot write {out} in an unknown format: expected a name that ends in .csv or .parquet"
        )
    folder = out.absolute().parent
    if out.is_dir() or not folder.is_dir() or not os.access(out if out.exists() else folder, os.W_OK):
        raise InputError(f"cannot write {out}: expected a file's name in a folder that can be written")


def _formulas(answer: "pl.DataFrame") -> int:
    """How many different ids a spreadsheet would take for formulas; they are written as they are."""
    from polars import selectors as cs

    texts = answer.select(cs.by_name("session_id", "item_id", require_all=False) & cs.string())
    return sum(int(column.unique().str.contains(FORMULA).sum()) for column in texts)
