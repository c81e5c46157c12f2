"""How fresh must a model be? `python -m benchmarks.fresh LOG --start MOMENT [--end MOMENT] [--out FOLDER]`.

Everything before START is learned once; then every click until END is foretold by the model as it was at
the beginning of its period, which is learned afterwards (prequential). Once for each length of a period, so
that recall stands beside the lag, with the seconds that learning took, for GRU4Rec and for the recommended
blend; beside that Markov and VMIS-kNN, and what is recalled on items first clicked less than two hours ago.
With --hour MOMENT the clicks of that hour alone are foretold, with periods down to a second (about each
click). Writes fresh.json and lag.png.
"""

import argparse
import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

import recsys_gru as rg
from recsys_gru.contract import Recommender

PERIODS = {
    "6 h": timedelta(hours=6),
    "1 h": timedelta(hours=1),
    "15 min": timedelta(minutes=15),
    "5 min": timedelta(minutes=5),
    "1 min": timedelta(minutes=1),
}
OF_BLEND = ("6 h", "1 h", "15 min", "5 min")
WITHIN = {
    **{name: PERIODS[name] for name in ("1 h", "15 min", "5 min", "1 min")},
    "1 s": timedelta(seconds=1),
}
HOUR = timedelta(hours=1)
YOUNG = timedelta(hours=2)
K = 20


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--start", type=moment, required=True, help="such as 2017-10-09T12:00, UTC")
    parser.add_argument("--end", type=moment, help="the end of the log if not given")
    parser.add_argument("--hour", type=moment, help="foretell this hour alone, with periods down to a second")
    parser.add_argument("--baseline-days", type=float, default=2.0, help="that the baselines remember")
    parser.add_argument("--out", type=Path, default=Path("build/fresh"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clicks = rg.check_clicks(rg.read_clicks(asked.log)).clicks.lazy().collect()
    clicks = clicks.filter(pl.col("time") < (asked.end or datetime(9999, 1, 1, tzinfo=UTC)))
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.hour:
        found = within(clicks, asked.start, asked.hour)
        (asked.out / "hour.json").write_text(json.dumps(found, indent=1) + "\n")
        return
    found = study(clicks, asked.start, asked.baseline_days)
    (asked.out / "fresh.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, asked.out / "lag.png")


def moment(text: str) -> datetime:
    """A moment of ISO 8601, UTC where it names no zone."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def study(clicks: pl.DataFrame, start: datetime, window: float) -> dict[str, dict[str, float]]:
    """The figures of every way to keep up."""
    before, stream = clicks.filter(pl.col("time") < start), since(clicks, start)
    found: dict[str, dict[str, float]] = {}

    def tell(name: str, model: Recommender, every: timedelta = HOUR, learn: bool = True) -> None:
        report = rg.prequential(copy.deepcopy(model), stream, every, start, learn=learn)
        found[name] = figures(report, clicks)
        print(name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)

    gru = rg.GRU4Rec(**rg.RECOMMENDED).fit(before)
    tell("frozen", gru, learn=False)
    for name, every in PERIODS.items():
        tell(name, gru, every)
    blend = rg.recommended().fit(before)
    tell("Blend, frozen", blend, learn=False)
    for name in OF_BLEND:
        tell(f"Blend, {name}", blend, PERIODS[name])
    recent = before.filter(pl.col("time") >= start - timedelta(days=window))
    for other in (rg.Markov().fit(recent), rg.VMISKNN(window=window).fit(recent)):
        tell(f"{type(other).__name__}, frozen", other, learn=False)
        tell(f"{type(other).__name__}, 1 h", other)
    return found


def within(clicks: pl.DataFrame, start: datetime, hour: datetime) -> dict[str, dict[str, float]]:
    """The figures of one hour's clicks, by a network that has learned each hour before it."""
    clicks = clicks.filter(pl.col("time") < hour + HOUR)
    model = rg.GRU4Rec(**rg.RECOMMENDED).fit(clicks.filter(pl.col("time") < start))
    rg.prequential(model, since(clicks.filter(pl.col("time") < hour), start), HOUR, start)
    found = {}
    for name, every in WITHIN.items():
        report = rg.prequential(copy.deepcopy(model), since(clicks, hour), every, hour)
        found[name] = figures(report, clicks)
        print(name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)
    return found


def since(clicks: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """All clicks of the sessions that have one from the moment on."""
    here = clicks.filter(pl.col("time") >= start)["session_id"].unique()
    return clicks.filter(pl.col("session_id").is_in(here.implode()))


def figures(report: rg.Prequential, clicks: pl.DataFrame) -> dict[str, float]:
    """Recall and MRR of all clicks, recall on young items, and what learning cost."""
    births = clicks.group_by("item_id").agg(born=pl.col("time").min())
    aged = report.ranks.join(births, on="item_id", how="left")
    young = aged.filter(pl.col("time") - pl.col("born") < YOUNG)["rank"].to_numpy()
    seconds = report.periods["seconds"].to_numpy()
    return {
        "recall": report.recall[K],
        "mrr": report.mrr[K],
        "events": report.events,
        "unknown": report.unknown,
        "young_events": len(young),
        "young_recall": float((young <= K).mean()) if len(young) else 0.0,
        "seconds_a_period": float(sorted(seconds)[len(seconds) // 2]),
        "seconds": float(seconds.sum()),
    }


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Recall against the period, and below it the seconds of learning."""
    from matplotlib.figure import Figure

    ways = ["frozen", *(name for name in PERIODS if name in found)]
    figure = Figure(figsize=(7, 5.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for key, label, colour in (
        ("recall", "all clicks", "#0b6e8a"),
        ("young_recall", "items of under 2 h", "#c84c09"),
    ):
        top.plot(ways, [found[way][key] for way in ways], "o-", color=colour, label=label)
    for kind, style in (("Markov", ":"), ("VMISKNN", "--")):
        if f"{kind}, 1 h" in found:
            top.axhline(
                found[f"{kind}, 1 h"]["recall"], color="#8a949b", linestyle=style, label=f"{kind}, hourly"
            )
    top.set(ylabel="recall@20, all clicks counted", ylim=(0, None))
    blended = [way for way in ways if f"Blend, {way}" in found]
    top.plot(
        blended,
        [found[f"Blend, {way}"]["recall"] for way in blended],
        "s-",
        color="#2f9e6e",
        label="Blend, all clicks",
    )
    top.legend(frameon=False)
    bottom.bar(ways, [found[way]["seconds"] for way in ways], color="#8a949b")
    bottom.set(xlabel="how often the model learns", ylabel="seconds of learning, in all")
    for axes in (top, bottom):
        axes.grid(axis="y", color="#e2e5e8")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
