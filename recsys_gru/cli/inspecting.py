"""`describe` and `prepare`: look at a log, cut it into files."""

from datetime import timedelta
from pathlib import Path

import click

from recsys_gru.cli.facts import ItemsFile, items_options
from recsys_gru.cli.options import Log, engine_option, log_options, test_days_option

LENGTHS = (0.5, 0.9, 0.99)


@click.command()
@log_options
@items_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("described"),
    show_default=True,
    help="Folder for log.html and log.png.",
)
def describe(log: Log, items: ItemsFile, out: Path) -> None:
    """Say what is in a click log: rows, rejected rows, sessions, items, times; and draw it as a page.

    With --items also what facts about the items would become.
    """
    from recsys_gru import exploration
    from recsys_gru.cli import preparing, printing

    clicks = preparing.raw(log)
    preparing.make_folder(out)
    found = exploration.describe(clicks, out, title=log.name, gap=timedelta(minutes=log.gap))
    printing.show_counts(found.counts)
    lengths, sessions = found.lengths["length"], found.lengths["sessions"].cum_sum()
    single = found.sessions - int(found.lengths.filter(lengths > 1)["sessions"].sum())
    click.echo(f"sessions   {found.sessions:,}, {single:,} of a single click")
    places = {share: lengths[sessions.search_sorted(share * found.sessions)] for share in LENGTHS}
    spread = ", ".join(f"{share:.0%}: {length}" for share, length in places.items())
    click.echo(f"lengths    {spread}, longest {lengths[-1]}")
    once = (found.popularity == 1).sum()
    top = found.popularity[: max(1, found.items // 100)].sum() / found.popularity.sum()
    click.echo(f"items      {found.items:,}, {once:,} of them clicked only once")
    click.echo(f"           the most clicked 1 % get {top:.0%} of the clicks")
    click.echo(f"times      {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC")
    click.echo(f"equal      {found.tied_share:.1%} of the steps are between clicks of one time")
    if found.gap is not None:
        minutes = found.gap.total_seconds() / 60
        click.echo(f"pauses     a visit seems to end after {minutes:g} minutes of silence")
    for warning in found.warnings():
        click.echo(f"warning    {warning}")
    if items.path is not None:
        _describe_facts(log, items)
    click.echo(f"written    {out / 'log.html'}, {out / 'log.png'}")


def _describe_facts(log: Log, items: ItemsFile) -> None:
    """What became of each column, if a model were fitted on the whole log; and how many lack the fact."""
    from recsys_gru.cli import facts, preparing
    from recsys_gru.clicks import Ledger
    from recsys_gru.facts import Encoding
    from recsys_gru.sessions import Sessions

    events = preparing.events_of(log, preparing.read(log, Ledger()))
    vocabulary = Sessions.from_events(events).vocabulary
    if (checked := items.read(vocabulary)) is not None:
        facts.show_encoding(Encoding.of(checked, vocabulary))
        missing = ", ".join(f"{name}: {checked.items[name].null_count():,}" for name in checked.kinds)
        click.echo(f"missing    {missing}")


def _tell(stage: str, done: int, total: int) -> None:
    """A line on stderr for each tenth of a stage."""
    if done == total or done * 10 // total > (done - 1) * 10 // total:
        click.echo(f"{stage:<12} {done} of {total}", err=True)


@click.command()
@log_options
@test_days_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Folder to fill."
)
@click.option(
    "--doctor",
    is_flag=True,
    help="Also look for leaks in the split.",
)
@engine_option
def prepare(log: Log, test_days: float | None, out: Path, doctor: bool, engine: str) -> None:
    """Check, split, filter and pack a click log of any size; the ledger and the rejected rows are kept."""
    import recsys_gru as rg
    from recsys_gru.cli import preparing, printing

    recipe = rg.Recipe(
        gap=timedelta(minutes=log.gap),
        min_support=log.min_support,
        min_length=log.min_length,
        test=None if test_days is None else timedelta(days=test_days),
    )
    clicks = preparing.raw(log)
    where = preparing.place_for(out)
    prepared = rg.prepare(clicks, str(where), recipe, on_progress=_tell, engine=engine)
    shown = rg.Ledger([*prepared.ledger])
    shown.record("test part", *prepared.test_part())
    click.echo(f"\n{printing.in_words(shown)}\n")
    counts = ", ".join(f"{count:,} {name}" for name, count in prepared.counts.items())
    click.echo(f"rows       {counts}\nsplit      test: sessions from {prepared.cut:%Y-%m-%d %H:%M} UTC")
    if doctor:
        click.echo(f"\n{rg.diagnose_split(prepared.train, prepared.test)}\n")
    shown_as = out if isinstance(where, Path) else where
    click.echo(f"written    {shown_as}: train/, test/, quarantine/ (rejected rows), ledger.parquet")
