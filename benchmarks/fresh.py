"""How fresh must a model be? `python -m benchmarks.fresh LOG --start MOMENT [--end MOMENT] [--out FOLDER]`.

Everything before START is learned once; then every click until END is foretold by the model as it was at
the beginning of its period, which is learned afterwards (prequential). Once for each length of a period, so
that recall stands beside the lag, with the seconds that learning took; beside that Markov and VMIS-kNN, and
what is recalled on items first clicked less than two hours before. Writes fresh.json and lag.png.
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

PERIODS = {
    "6 h": timedelta(hours=6),
    "1 h": timedelta(hours=1),
    "15 min": timedelta(minutes=15),
    "5 min": timedelta(minutes=5),
    "1 min": timedelta(minutes=1),
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
    parser.add_argument("--baseline-days", type=float, default=2.0, help="that the baselines remember")
    parser.add_argument("--out", type=Path, default=Path("build/fresh"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clicks = rg.check_clicks(rg.read_clicks(asked.log)).clicks.lazy().collect()
    clicks = clicks.filter(pl.col("time") < (asked.end or datetime(9999, 1, 1, tzinfo=UTC)))
    asked.out.mkdir(parents=True, exist_ok=True)
    found = study(clicks, asked.start, timedelta(days=asked.baseline_days))
    (asked.out / "fresh.json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, asked.out / "lag.png")


def moment(text: str) -> datetime:
    """A moment of ISO 8601, UTC where it names no zone."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def study(clicks: pl.DataFrame, start: datetime, window: timedelta) -> dict[str, dict[str, float]]:
    """The figures of every way to keep up."""
    model = rg.recommended().fit(clicks.filter(pl.col("time") < start))
    here = clicks.filter(pl.col("time") >= start)["session_id"].unique()
    stream = clicks.filter(pl.col("session_id").is_in(here.implode()))
    births = clicks.group_by("item_id").agg(born=pl.col("time").min())
    found = {}

    def tell(name: str, report: rg.Prequential) -> None:
        found[name] = figures(report, births)
        print(name, {key: round(value, 4) for key, value in found[name].items()}, flush=True)

    tell("frozen", rg.prequential(model, stream, HOUR, start, learn=False))
    for name, every in PERIODS.items():
        tell(name, rg.prequential(copy.deepcopy(model), stream, every, start))
    recent = clicks.filter(pl.col("time") >= start - window)
    for kind in (rg.Markov, rg.VMISKNN):
        for learn in (False, True):
            other = kind().fit(recent.filter(pl.col("time") < start))
            log = recent if learn else stream
            report = rg.prequential(other, log, HOUR, start, learn=learn)
            tell(f"{kind.__name__}, {'1 h' if learn else 'frozen'}", report)
    return found


def figures(report: rg.Prequential, births: pl.DataFrame) -> dict[str, float]:
    """Recall and MRR of all clicks, recall on young items, and what learning cost."""
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
    top.legend(frameon=False)
    bottom.bar(ways, [found[way]["seconds"] for way in ways], color="#8a949b")
    bottom.set(xlabel="how often the model learns", ylabel="seconds of learning, in all")
    for axes in (top, bottom):
        axes.grid(axis="y", color="#e2e5e8")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
