"""What the commands print: counts, epochs, tables. Plain lines, so that a log file reads like a terminal."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from recsys_gru.cli.preparing import Prepared
    from recsys_gru.clicks import CheckedClicks, Ledger
    from recsys_gru.evaluation import Comparison, Report
    from recsys_gru.preparation import Prepared as PreparedLog
    from recsys_gru.sessions import Sessions
    from recsys_gru.tracking.comparison import StoredRanks
    from recsys_gru.training import EpochReport

RULES = {
    "after the cut, session began before": "clicks after the cut of sessions begun before",
    "test part": "set aside for the test (--test-days)",
    "validation: after the cut, session began before": "the same, before the validation part",
    "validation part": "set aside for validation",
    "session too short": "session too short (--min-length)",
    "item too rare": "item too rare (--min-support)",
}
"""Rules of a ledger, for people."""
COUNTED = {"miss": "all clicks", "drop": "known clicks"}
"""What the figures of a report are of."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their heads: the first to the left, the others to the right.

    >>> print(table(["model", "MRR"], [["GRU4Rec", ".31"], ["Markov", ".2"]]))
    model    MRR
    GRU4Rec  .31
    Markov    .2
    """
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in [head, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def show_checked(checked: "CheckedClicks") -> None:
    """Rows read, kept and rejected, with the reasons."""
    show_counts(checked.counts)


def show_counts(all_counts: dict[str, int]) -> None:
    """The same from the counts alone."""
    counts = dict(all_counts)
    read, kept, rejected = (counts.pop(name) for name in ("read", "kept", "rejected"))
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    click.echo(
        f"rows       {read:,} read, {kept:,} kept, {rejected:,} rejected{f' ({reasons})' if reasons else ''}"
    )


def show_prepared_log(prepared: "PreparedLog", verified: bool) -> None:
    """The rows of a log that ``prepare`` has prepared, and whether its digests were looked at."""
    counts = ", ".join(f"{count:,} {name}" for name, count in prepared.counts.items())
    whole = "; every file is as it was written" if verified else ""
    click.echo(f"prepared   {prepared.folder}: {counts} rows{whole}")


def in_words(ledger: "Ledger") -> "Ledger":
    """The ledger with its rules named as a reader knows them, and the option that sets each."""
    from recsys_gru.clicks import Ledger

    return Ledger([replace(entry, rule=RULES.get(entry.rule, entry.rule)) for entry in ledger])


def show_prepared(prepared: "Prepared") -> None:
    """The ledger of the rules, and the three parts."""
    click.echo(f"\n{in_words(prepared.ledger)}\n")
    click.echo(
        f"split      test: sessions from {prepared.cut:%Y-%m-%d %H:%M} UTC; validation: the last before it"
    )
    for name in ("train", "validation", "test"):
        click.echo(f"{name:<11}{_size(getattr(prepared, name))}")


def epoch_line(epochs: int) -> "Callable[[EpochReport], None]":
    """Prints one line an epoch: loss, speed, validation, time left."""

    def show(report: "EpochReport") -> None:
        figures = "".join(
            f"  {name} {value:.4f}" for name, value in report.metrics.items() if name.endswith("_20")
        )
        left = (epochs - report.epoch) * report.seconds
        speed = f"{report.events_per_second:>9,.0f} events/s"
        click.echo(
            f"epoch {report.epoch:>2}/{epochs}  loss {report.loss:.4f}  {speed}{figures}  {left:.0f} s left"
        )

    return show


def show_reports(reports: "dict[str, Report]") -> None:
    """Recall and MRR of every model at the longest list under each way to count the clicks, best MRR first;
    then those of shorter lists, what the clicks are, and warnings."""
    from recsys_gru.evaluation.views import NEVER

    cutoffs = list(next(iter(reports.values())).recall)
    k = cutoffs[-1]
    ordered = sorted(reports.items(), key=lambda entry: -entry[1].mrr[k])
    facts = any(NEVER in report.views()["view"] for report in reports.values())
    found = {name: report.views(facts).filter(k=k) for name, report in ordered}
    rows = [
        [name, *(_pair(row["recall"], row["mrr"]) for row in one.iter_rows(named=True))]
        for name, one in found.items()
    ]
    views = next(iter(found.values()))["view"].to_list()
    click.echo(f"\n{table([f'recall@{k} / MRR@{k}', *views], rows)}")
    _explain(ordered[0][1], ", as VSKNN does," if "VSKNN" in reports else "")
    if facts:
        click.echo("never seen   clicks on items that no click of training is on: only facts can rank them")
    if len(cutoffs) > 1:
        _show_shorter(ordered, cutoffs[:-1])
    for warning in dict.fromkeys(warning for _, report in ordered for warning in report.warnings):
        click.echo(f"warning    {warning}", err=True)


def _explain(report: "Report", like: str) -> None:
    """What the columns of the table mean, and how many clicks they are of; ``like`` names an example."""
    shares, of = report.shares(), COUNTED[report.unknown_rule]
    unknown, repeat = shares["unknown_share"], shares["repeat_share"]
    for line in (
        f"{report.events:,} test events of {report.sessions:,} sessions ({of}), ranked against all items",
        f"all clicks   from the second of a session on; one on an unknown item ({unknown:.1%}) is a miss",
        "known        those on unknown items left out, as in most published tables",
        "as shown     without the items of the session, which recommend does not show again: a model that",
        f"             puts these first{like} gains; a click on one of them ({repeat:.1%} of the known)",
        "             is a miss",
    ):
        click.echo(line)
    if "tied_share" in shares:
        click.echo(f"equal times  {_tied(shares)}")


def _show_shorter(reports: "Sequence[tuple[str, Report]]", cutoffs: Sequence[int]) -> None:
    """The figures of the usual rule at the other cut-offs."""
    head = [
        COUNTED[reports[0][1].unknown_rule],
        *(f"recall@{k}" for k in cutoffs),
        *(f"MRR@{k}" for k in cutoffs),
    ]
    rows = [
        [name, *(f"{report.recall[k]:.4f}" for k in cutoffs), *(f"{report.mrr[k]:.4f}" for k in cutoffs)]
        for name, report in reports
    ]
    click.echo(f"\n{table(head, rows)}")


def _tied(shares: dict[str, float]) -> str:
    return f"{shares['tied_share']:.1%} of neighbouring clicks of a session have the same time"


def _pair(recall: float | None, mrr: float | None) -> str:
    return "-" if recall is None or mrr is None else f"{recall:.4f} / {mrr:.4f}"


def show_comparison(found: "Comparison", a: "StoredRanks", b: "StoredRanks") -> None:
    """Differences of two runs with intervals and p-values, and what they rest on."""
    click.echo(f"A  {a.label}   run {a.run}\nB  {b.label}   run {b.run}")
    head = ["", "A", "B", "B - A", "95 % from", "to", "p", "p (Holm)"]
    rows = [
        [
            f"{row['metric']}@{row['k']}",
            *(f"{row[name]:.4f}" for name in ("a", "b")),
            *("-" if row[name] is None else f"{row[name]:+.4f}" for name in ("difference", "low", "high")),
            *(f"{row[name]:.4f}" for name in ("p", "p_holm")),
        ]
        for row in found.table.iter_rows(named=True)
    ]
    click.echo(f"\n{table(head, rows)}")
    tied = "" if found.tied_share is None else f"; {_tied({'tied_share': found.tied_share})}"
    click.echo(
        f"{found.events:,} events of {found.sessions:,} sessions that both ranked "
        f"(only A: {found.only_a:,}, only B: {found.only_b:,}); an interval that holds 0 is no difference to "
        f"rely on{tied}"
    )
    for warning in found.warnings:
        click.echo(f"warning    {warning}", err=True)


def _size(sessions: "Sessions") -> str:
    return (
        f"{sessions.n_sessions:,} sessions, {sessions.n_events:,} events, {len(sessions.vocabulary):,} items"
    )
