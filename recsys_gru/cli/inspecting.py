"""`describe` and `prepare`: look at a log, cut it into files."""

from pathlib import Path

import click

from recsys_gru.cli.options import Log, log_options, test_days_option

LENGTHS = (0.5, 0.9, 0.99)


@click.command()
@log_options
def describe(log: Log) -> None:
    """Say what is in a click log: rows, rejected rows with reasons, sessions, items, times, lengths."""
    import polars as pl

    from recsys_gru.cli import preparing, printing
    from recsys_gru.clicks import Ledger

    checked = preparing.read(log, Ledger())
    printing.show_checked(checked)
    events = preparing.events_of(log, checked)
    lengths = events.group_by("session_id").len()["len"]
    support = events.group_by("item_id").len()["len"].sort(descending=True)
    first, last = events.select(pl.col("time").min().alias("first"), pl.col("time").max().alias("last")).row(
        0
    )
    top = int(support.head(max(1, len(support) // 100)).sum()) / max(1, events.height)
    click.echo(f"sessions   {len(lengths):,}, {(lengths == 1).sum():,} of a single click")
    spread = ", ".join(f"{share:.0%}: {lengths.quantile(share):.0f}" for share in LENGTHS)
    click.echo(f"lengths    {spread}, longest {int(lengths.to_numpy().max())}")
    rare = (support < log.min_support).sum()
    click.echo(f"items      {len(support):,}, {rare:,} with under {log.min_support} clicks")
    click.echo(f"           the most clicked 1 % get {top:.0%} of the clicks")
    click.echo(f"times      {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")


@click.command()
@log_options
@test_days_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Folder to fill."
)
def prepare(log: Log, test_days: float | None, out: Path) -> None:
    """Check, split and filter a click log: train, test, rejected and ledger as files."""
    from recsys_gru.cli import preparing, printing
    from recsys_gru.clicks import Ledger

    ledger = Ledger()
    checked = preparing.read(log, ledger)
    printing.show_checked(checked)
    parts = preparing.cut(preparing.events_of(log, checked), test_days, ledger)
    train = preparing.filtered(log, parts.train, ledger)
    preparing.make_folder(out)
    for name, frame in (("train", train), ("test", parts.test), ("rejected", checked.rejected)):
        frame.lazy().collect().write_parquet(out / f"{name}.parquet")
    ledger.write(out / "ledger.csv")
    click.echo(f"\n{ledger}\n\nwritten: {out}/train.parquet, test.parquet, rejected.parquet, ledger.csv")
