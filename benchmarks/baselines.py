"""Every baseline and GRU4Rec, tuned with the same number of trials, and the blend as it is recommended.

    python -m benchmarks.baselines FOLDER --work WORK --trials 6
    python -m benchmarks.baselines FOLDER --work WORK --trials 12 --models GRU4Rec

FOLDER holds bolcom, eshop2008 and retailrocket as Parquet. For each log and model: random settings, each
fitted before the validation part and judged there by MRR@20; the best is fitted on everything before the
test part and tested once. Each finished model leaves its facts and its rank ledger in WORK, so that a run
that was cut off, or is asked for more trials, goes on from there. At the end figures.json, figures.md and
recall.png are written there.
"""

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import recsys_gru as rg
from recsys_gru import evaluation as ev
from recsys_gru.contract import Recommender, SearchSpace
from recsys_gru.sessions import split_three

LOGS = {
    "bolcom": timedelta(days=3),
    "eshop2008": timedelta(days=14),
    "retailrocket": timedelta(seconds=4_774_005),  # its times count sessions: from session 126168 on
}
MODELS = (
    *("Popularity", "RecentPopularity", "SessionPopularity", "Markov", "SequentialRules", "ItemKNN"),
    *("SKNN", "VSKNN", "STAN", "VSTAN", "VMISKNN", "Repeats", "GRU4Rec", "Blend"),
)
OURS = "Blend"
"""What is compared with every other; it is not tuned."""
K, SEED = 20, 2026
NAMES = {"recall": "recall", "mrr": "MRR"}
SEARCH_SESSIONS, VALIDATION_SESSIONS = 25_000, 2000
"""The search learns from the newest of the earlier sessions and is judged on some of the later ones."""
EPOCHS = 6
GRU_FIXED: dict[str, Any] = {
    "layers": (100,), "logq": 1.0, "steps_per_update": 3, "n_epochs": EPOCHS, "device": "cpu"
}  # fmt: skip
GRU_SPACE: SearchSpace = {
    "loss": ["cross-entropy", "bpr-max"],
    "learning_rate": ("float", 0.02, 0.25, True),
    "batch_size": [32, 64, 128],
    "dropout_p_embed": ("float", 0.0, 0.5, False),
    "dropout_p_hidden": ("float", 0.0, 0.5, False),
    "sample_alpha": ("float", 0.0, 1.0, False),
    "bpreg": ("float", 0.0, 2.0, False),
    "scale": [0.0, 12.0, 16.0],
    "look_back": [0, 5],
    "repeats": [0, 5],
}


@dataclass(frozen=True)
class Parts:
    """A log cut twice: ``inner`` and ``validation`` to choose by, ``outer`` and ``test`` for the figures."""

    inner: rg.Sessions
    validation: pl.DataFrame
    outer: rg.Sessions
    test: pl.DataFrame


def main() -> None:
    """Tune and test what is asked for, then write the figures of all that is finished."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--trials", type=int, default=10, help="settings tried per model")
    parser.add_argument("--logs", nargs="*", default=list(LOGS))
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.work.mkdir(parents=True, exist_ok=True)
    for log in asked.logs:
        missing = [
            kind for kind in asked.models if len(known(asked.work, log, kind)) < trials_of(kind, asked.trials)
        ]
        parts = parts_of(asked.folder / f"{log}.parquet", LOGS[log]) if missing else None
        for kind in missing:
            assert parts is not None
            tried = known(asked.work, log, kind)
            facts = tuned(kind, parts, tried, trials_of(kind, asked.trials), ranks_of(asked.work, log, kind))
            facts_of(asked.work, log, kind).write_text(json.dumps(facts, indent=1) + "\n")
            print(
                log, kind, {name: facts[name] for name in ("recall", "mrr", "chosen", "seconds")}, flush=True
            )
    figures = {log: found for log in LOGS if (found := figures_of(asked.work, log))}
    (asked.work / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    (asked.work / "figures.md").write_text(markdown(figures))
    draw(figures, asked.work / "recall.png")


def facts_of(work: Path, log: str, kind: str) -> Path:
    """Where a finished model's facts lie."""
    return work / f"{log}-{kind}.json"


def known(work: Path, log: str, kind: str) -> list[dict[str, Any]]:
    """The trials that an earlier run has finished, with their validation MRR."""
    path = facts_of(work, log, kind)
    tried: list[dict[str, Any]] = json.loads(path.read_text())["tried"] if path.exists() else []
    return tried


def trials_of(kind: str, trials: int) -> int:
    """Trials of a model: one where there is nothing to tune."""
    return trials if space_of(kind) else 1


def space_of(kind: str) -> SearchSpace:
    """What is searched."""
    own: dict[str, SearchSpace] = {"GRU4Rec": GRU_SPACE, OURS: {}}
    space: SearchSpace = own[kind] if kind in own else getattr(rg, kind).search_space()
    return space


def ranks_of(work: Path, log: str, kind: str) -> Path:
    """Where a finished model's rank ledger lies."""
    return work / f"{log}-{kind}.parquet"


def parts_of(path: Path, span: timedelta) -> Parts:
    """Cut a log; sessions of one click leave the two training parts, no item does."""
    cut = split_three(rg.check_clicks(rg.read_clicks(path)).clicks, test=span, validation=span)
    validation, test = cut.validation.lazy().collect(), cut.test.lazy().collect()
    ids = validation["session_id"].unique().sort()
    drawn = ids.sample(min(VALIDATION_SESSIONS, len(ids)), seed=SEED)
    newest = (
        cut.train.lazy()
        .group_by("session_id")
        .agg(pl.col("time").min())
        .sort("time", "session_id")
        .tail(SEARCH_SESSIONS)
    )
    inner, outer = (
        rg.Sessions.from_events(rg.filter_sessions(part, min_support=1, min_length=2))
        for part in (cut.train.lazy().join(newest, on="session_id", how="semi"), cut.outer.train)
    )
    return Parts(inner, validation.filter(pl.col("session_id").is_in(drawn.implode())), outer, test)


def tuned(kind: str, parts: Parts, tried: list[dict[str, Any]], trials: int, ledger: Path) -> dict[str, Any]:
    """Choose a model's setting on the validation part, refit it, test it once."""
    began = time.process_time()
    generator = np.random.default_rng(SEED)
    settings = [drawn(space_of(kind), generator) for _ in range(trials)]
    new = [
        {"validation_mrr": tried_on_validation(kind, setting, parts), **setting}
        for setting in settings[len(tried) :]
    ]
    tried = tried + new
    chosen = dict(max(tried, key=lambda trial: trial["validation_mrr"]))
    best = chosen.pop("validation_mrr")
    searched, began = time.process_time() - began, time.process_time()
    model = new_model(kind, chosen).fit(parts.outer)
    fitted, began = time.process_time() - began, time.process_time()
    report = rg.evaluate(model, parts.test, (K,), unknown="miss")
    ev.write_ranks(report.ranks, ledger)
    seconds = {"search": searched, "fit": fitted, "test": time.process_time() - began}
    return {
        "recall": report.recall[K],
        "mrr": report.mrr[K],
        "events": report.events,
        "sessions": report.sessions,
        "unknown": report.unknown,
        "shares": report.shares(),
        "views": {row["view"]: row for row in report.views().to_dicts()},
        "chosen": chosen,
        "validation_mrr": best,
        "tried": tried,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def tried_on_validation(kind: str, setting: Mapping[str, Any], parts: Parts) -> float:
    """Validation MRR of one setting."""
    model = new_model(kind, setting).fit(parts.inner)
    value = rg.evaluate(model, parts.validation, (K,), unknown="miss").mrr[K]
    print(f"  {kind} {value:.4f} {dict(setting)}", flush=True)
    return value


def new_model(kind: str, setting: Mapping[str, Any]) -> Recommender:
    """An unfitted model."""
    fixed = GRU_FIXED if kind == "GRU4Rec" else {}
    model: Recommender = getattr(rg, kind)(**setting, **fixed)
    return model


def drawn(space: SearchSpace, generator: np.random.Generator) -> dict[str, Any]:
    """One random setting."""
    return {name: drawn_value(span, generator) for name, span in space.items()}


def drawn_value(span: Any, generator: np.random.Generator) -> Any:  # noqa: ANN401 - whatever the parameter is
    """One value of a span, even on its scale, or one of the choices."""
    if isinstance(span, list):
        return span[int(generator.integers(len(span)))]
    kind, low, high, logarithmic = span
    even = generator.uniform(math.log(low), math.log(high)) if logarithmic else generator.uniform(low, high)
    value = math.exp(even) if logarithmic else float(even)
    return round(value) if kind == "int" else value


def figures_of(work: Path, log: str) -> dict[str, Any]:
    """The finished models of a log with intervals, and each of the others compared with ours."""
    done = [kind for kind in MODELS if facts_of(work, log, kind).exists()]
    ledgers = {kind: ev.read_ranks(ranks_of(work, log, kind)) for kind in done}
    models = {}
    for kind, ranks in ledgers.items():
        facts = json.loads(facts_of(work, log, kind).read_text())
        for metric, _, value, low, high in ev.intervals(ranks, cutoffs=(K,)).iter_rows():
            facts[metric] = {"value": value, "low": low, "high": high}
        models[kind] = facts
    if not {OURS, "VSKNN"} <= set(done):
        return {"models": models} if models else {}
    # the best by validation, so that the choice of the opponent has not seen the test either
    rival = max((kind for kind in done if kind != OURS), key=lambda kind: models[kind]["validation_mrr"])
    paired = ev.compare(ledgers[rival], ledgers[OURS], cutoffs=(K,)).table.to_dicts()
    others = {kind: ranks for kind, ranks in ledgers.items() if kind != OURS}
    against = {
        metric: ev.compare_many(ledgers[OURS], others, metric, K).to_dicts() for metric in ("recall", "mrr")
    }
    return {"models": models, "rival": rival, "paired": paired, "ours_against_all": against}


def markdown(figures: Mapping[str, Any]) -> str:
    """The table of all models, then the paired comparisons."""
    lines = []
    for log, found in figures.items():
        models = found["models"]
        some = next(iter(models.values()))
        told = "{unknown_share:.0%} of them on unknown items; {repeat_share:.0%} of the known ones repeats"
        lines += [
            f"**{log}**: {some['events']:,} clicks of {some['sessions']:,} test sessions, "
            + told.format_map(some["shares"]),
            "",
            "| | recall@20 | MRR@20 | as shown | known clicks | known, as shown | validation MRR@20 |",
            "|---|---|---|---|---|---|---|",
        ]
        order = sorted(models, key=lambda kind: -models[kind]["mrr"]["value"])
        lines += [f"| `{kind}` | {row(models[kind])} |" for kind in order]
        for pair in found.get("paired", []):
            lines += [
                "",
                f"{OURS} minus {found['rival']}, {NAMES[pair['metric']]}@20: {pair['difference']:+.4f} "
                f"({pair['low']:+.4f} to {pair['high']:+.4f}), p {pair['p']:.4f}, Holm {pair['p_holm']:.4f}",
            ]
        lines.append("")
    return "\n".join(lines) + "\n"


def row(facts: Mapping[str, Any]) -> str:
    """The cells of one model."""
    cells = [f"{m['value']:.4f} ({m['low']:.4f} – {m['high']:.4f})" for m in (facts["recall"], facts["mrr"])]
    views = facts["views"]
    others = ("all clicks, as shown", "known clicks", "known clicks, as shown")
    beside = [f"{views[name]['recall']:.4f}, {views[name]['mrr']:.4f}" for name in others]
    return " | ".join([*cells, *beside, f"{facts['validation_mrr']:.4f}"])


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """A dot with its interval for each model, logs side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, (log, found) in zip(
        figure.subplots(1, len(figures), squeeze=False, sharey=True)[0], figures.items(), strict=True
    ):
        for place, kind in enumerate(MODELS):
            if kind in found["models"]:
                recall = found["models"][kind]["recall"]
                colour = "#0b6e8a" if kind == OURS else "#8a949b"
                axes.plot([recall["low"], recall["high"]], [place, place], color=colour, linewidth=2)
                axes.plot(recall["value"], place, "o", color=colour, markersize=4)
        axes.set_yticks(range(len(MODELS)), MODELS)
        axes.set(title=log, xlabel="recall@20, 95 % interval", xlim=(0, None))
        axes.grid(axis="x", color="#e2e5e8")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
