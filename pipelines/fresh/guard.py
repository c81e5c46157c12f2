"""The guard: may the model that has just learned serve? In the gate's form, on the figures of the stream."""

from math import isfinite
from typing import TYPE_CHECKING

from ..gate import Check, Decision
from ..plumbing.periods import Period
from ..plumbing.settings import Settings
from ..plumbing.workshop import Facts
from ..stages.evaluate import coverage_of, latency_of
from .learn import figures
from .stream import Stream

if TYPE_CHECKING:
    import polars as pl

    from recsys_gru import Recommender

FINITE = "finite"
MOST_SECONDS = 0.1
"""Single requests are timed so long at most, the first few apart: of a large catalogue fewer tell enough."""

NOT_FINITE = Decision(promoted=False, checks=(Check(FINITE, False, "its weights are not finite numbers"),))


def judge(
    stream: Stream, period: Period, events: "pl.DataFrame", before: Facts | None, settings: Settings
) -> Decision:
    """Decide on the model of a stream, whose weights are finite, after it has learned a period.

    Args:
        events: the clicks of the sessions that were foretold.
        before: the figures of the version that serves, on the same clicks; None where there is none.
    """
    checks = [Check(FINITE, True, "all weights are finite"), _foretold(stream, settings)]
    if events.height:
        checks.append(_learned(figures(stream.model, events, period, settings), before, settings))
        checks += _lists(stream.model, events, settings)
    return Decision(all(check.passed for check in checks), tuple(checks))


def is_finite(model: "Recommender") -> bool:
    """Whether all weights of a network, or of those in a blend, are numbers; other models have none."""
    network = getattr(model, "network_", None)
    if network is not None:
        # a sum that is finite has finite terms; looking at them one by one takes 30 times as long
        return all(
            isfinite(float(values.sum())) or bool(values.isfinite().all())
            for _, values in network.parameters()
        )
    return all(is_finite(member) for member in getattr(model, "members_", ()))


def _foretold(stream: Stream, settings: Settings) -> Check:
    """The last periods, each foretold before it was learned, beside the frozen champion."""
    fresh = settings.fresh
    rows = [row for row in (*stream.rows, *stream.pending) if row["base"] == stream.base][-fresh.periods :]
    events = sum(row["events"] for row in rows)
    if events < fresh.min_events:
        return Check("beside the nightly model", True, f"{events} events, too few to tell")
    own, nightly = (
        sum(row["events"] * row[name] for row in rows if row["events"]) / events
        for name in ("recall", "nightly_recall")
    )
    said = f"recall@{settings.gate.k} {own:.4f} against {nightly:.4f} in {len(rows)} periods, {events} events"
    return Check("beside the nightly model", own >= fresh.against_nightly * nightly, said)


def _learned(after: Facts, before: Facts | None, settings: Settings) -> Check:
    """The period it has just learned, beside the version before: a learned one must not be known worse."""
    name = "beside the version before"
    if before is None or not before["events"]:
        return Check(name, True, "there is none to be compared with")
    if after["events"] < settings.fresh.min_events:
        return Check(name, True, f"{after['events']} events, too few to tell")
    least = settings.fresh.against_before * before["recall"]
    said = (
        f"recall@{settings.gate.k} on the learned period {after['recall']:.4f}, must be at least {least:.4f}"
    )
    return Check(name, after["recall"] >= least, said)


def _lists(model: "Recommender", events: "pl.DataFrame", settings: Settings) -> list[Check]:
    from recsys_gru import errors

    fresh = settings.fresh
    try:
        covered = coverage_of(model, events, settings.gate.k, every=False)["coverage"]
    except errors.ClickLogError:  # no click that another one follows
        return []
    timed = latency_of(model, events, fresh.latency_requests, MOST_SECONDS)
    slow, requests = timed["latency_p99_ms"], timed["latency_requests"]
    told = f"{covered:.4g}, at least {fresh.min_coverage:g} allowed"
    return [
        Check("coverage", covered >= fresh.min_coverage, told),
        Check(
            "latency p99, ms",
            slow <= fresh.max_latency_ms,
            f"{slow:.4g} of {requests} requests, at most {fresh.max_latency_ms:g}",
        ),
    ]
