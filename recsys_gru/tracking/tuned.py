"""What a search has found, told in its parent run."""

import warnings
from functools import partial
from typing import TYPE_CHECKING

from recsys_gru.tracking.delivery import Run
from recsys_gru.tracking.tracker import NOTE, shown

if TYPE_CHECKING:
    from optuna import Study

METRIC = "mrr_at_20"
HISTORY = "plots/optimization_history.png"
PLOTS = ("plot_optimization_history", "plot_param_importances", "plot_slice")
OF_EPOCHS = "plot_intermediate_values"
"""Of models without epochs Optuna says that there is none."""


def describe_study(parent: Run, kind: str, data: str, study: "Study") -> None:
    """The best values as tags and text of the parent run, the study's plots as its files."""
    best = {f"best.{name}": value for name, value in study.best_params.items()}
    note = (
        f"**{len(study.trials)} trials** of {kind} on {data}, each a run below this one. The "
        f"best is trial {study.best_trial.number}: MRR@20 {study.best_value:.4f} on the validation part.\n\n"
        f"{shown('MRR@20 of every trial', HISTORY)}"
    )
    parent.log({f"valid/{METRIC}": study.best_value}, tags={**best, NOTE: note})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its plots experimental
        in_epochs = any(trial.intermediate_values for trial in study.trials)
        for plot in (*PLOTS, OF_EPOCHS) if in_epochs else PLOTS:
            _draw(parent, study, plot)


def _draw(parent: Run, study: "Study", plot: str) -> None:
    """Draw one of Optuna's plots as a file of the parent run; too few trials for it draw none."""
    import matplotlib.pyplot as plt
    import optuna.visualization.matplotlib as plots

    try:
        axes = getattr(plots, plot)(study)
    except (RuntimeError, ValueError):
        return
    figure = (axes.flat[0] if hasattr(axes, "flat") else axes).figure
    name = f"{plot.removeprefix('plot_')}.png"
    parent.file(name, partial(figure.savefig, dpi=90, bbox_inches="tight"), "plots")
    plt.close(figure)
