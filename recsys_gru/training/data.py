"""What an epoch learns from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys_gru.kernels.arrays import spread
from recsys_gru.kernels.readout import recent
from recsys_gru.training.context import Context, learned_part
from recsys_gru.training.lanes import pairs


@dataclass(frozen=True)
class TrainingData:
    """The packed events as the lanes walk them: item numbers (E,) and session bounds (n + 1,)."""

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    context: Context | None = None
    """Of sessions that began before."""
    moment: NDArray[np.int64] | None = None
    """(E, C) the labels of each event's moment, -1 for none."""
    worth: NDArray[np.float32] | None = None
    """(E,) what the loss of each event counts as a target; None: all the same."""

    @classmethod
    def of(
        cls,
        items: NDArray[np.int32],
        offsets: NDArray[np.int64],
        counted: NDArray[np.bool_],
        moment: NDArray[np.int64] | None = None,
        worth: NDArray[np.float32] | None = None,
    ) -> "TrainingData":
        """The events to learn from, where only the counted ones (E,) are to be learned as targets."""
        if counted.all():
            return cls(items, offsets, None, moment, worth)
        if moment is not None:
            every = np.arange(len(items), dtype=np.int32)
            learned = learned_part(every, offsets, counted)[0]
            moment, worth = moment[learned], None if worth is None else worth[learned]
        return cls(*learned_part(items, offsets, counted), moment, worth)

    @property
    def pairs(self) -> int:
        """Events that are predicted in an epoch."""
        return pairs(self.offsets)

    def share(self, rank: int, size: int) -> "TrainingData":
        """Every so many'th session with something to predict, in the same order."""
        lengths = np.diff(self.offsets)
        chosen = np.flatnonzero(lengths > 1)[rank::size]
        at = spread(self.offsets[:-1][chosen], lengths[chosen])
        bounds = np.concatenate([[0], np.cumsum(lengths[chosen])])
        moment = None if self.moment is None else self.moment[at]
        worth = None if self.worth is None else self.worth[at]
        return TrainingData(self.items[at], bounds, None, moment, worth)

    def recent(self, at: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The items of the last clicks up to some events (Q,), (Q, count): see `kernels.arrays.recent`."""
        found = recent(self.items, self.offsets, at, count)
        if self.context is not None:
            begins = self.offsets[np.searchsorted(self.offsets, at, side="right") - 1]
            self.context.fill(found, at - begins + 1, begins)
        return found
