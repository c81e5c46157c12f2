"""A model whose fit is told to a run."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from recsys_gru.contract import Recommender
from recsys_gru.tracking.delivery import Run
from recsys_gru.tracking.seals import SEAL, seal_of

if TYPE_CHECKING:
    from recsys_gru.training import EpochReport


@final
@dataclass(frozen=True, eq=False)
class Fit:
    """A model, the run that is told of it, and what its page needs: sizes of the data, epochs, the time."""

    model: object
    run: Run
    data: Mapping[str, int | str] = field(default_factory=dict)
    epochs: "list[EpochReport]" = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    tests: list[object] = field(default_factory=list)
    """What it was tested on, and how."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """All of the model's."""
        return self.model.parameters() if isinstance(self.model, Recommender) else {}

    def tell(self, epoch: "EpochReport", load: Mapping[str, float]) -> None:
        """Log an epoch."""
        metrics = {
            "train/loss": epoch.loss,
            "train/events_per_second": epoch.events_per_second,
            "train/seconds": epoch.seconds,
            **load,
        }
        metrics |= {f"valid/{name}": value for name, value in epoch.metrics.items()}
        self.epochs.append(epoch)
        self.run.log(metrics, step=epoch.epoch)

    def tell_before(self) -> None:
        """Log the epochs that lie before the checkpoint with which the fit began: nobody heard them."""
        heard = {epoch.epoch for epoch in self.epochs}
        for epoch in vars(self.model).get("history_", ()):
            if epoch.epoch not in heard:
                self.tell(epoch, {})
        self.epochs.sort(key=lambda epoch: epoch.epoch)

    def keep(self) -> None:
        """Keep the fitted model, and its seal; not one that this process has a part of."""
        if isinstance(self.model, Recommender) and not getattr(self.model, "is_divided", False):
            self.run.file("model", partial(self._save, self.model), "model")

    def _save(self, model: Recommender, folder: Path) -> None:
        model.save(folder)
        self.run.log(tags={SEAL: seal_of(folder)})
