"""Going on with a fitted network: item tables grow and forget, and so does the optimiser's memory."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from recsys_gru.errors import ParameterError
from recsys_gru.model.facts import Facts
from recsys_gru.model.network import Network
from recsys_gru.model.optimisers import OPTIMISERS, Slots
from recsys_gru.model.rows import appended
from recsys_gru.recommender.recency import Forgetting, Recency, remaining
from recsys_gru.recommender.warm_start import Extension, extend
from recsys_gru.sessions import Sessions, Vocabulary
from recsys_gru.training import Settings


@dataclass(frozen=True)
class Fitted:
    """What is learned on from; network and slots are changed in place."""

    vocabulary: Vocabulary
    network: Network
    slots: dict[str, Slots]
    recency: Recency


def go_on(
    fitted: Fitted, newer: Sessions, forgetting: Forgetting, keep_vanished: bool
) -> tuple[Extension, Recency]:
    """Bring the catalogue of a fitted network to that of newer sessions."""
    before, keep = fitted.recency, None
    if not keep_vanished or forgetting.after is not None:
        keep = before.kept(forgetting.after or 0, int(newer.times.max())) & keep_vanished
    extension = extend(fitted.vocabulary, newer, keep)
    grow(extension, fitted.network, fitted.slots)
    if forgetting.half_life is not None:
        fade_sums(fitted, extension, forgetting.half_life)
    return extension, before.extended(extension, forgetting.half_life)


def grow(extension: Extension, network: Network, slots: dict[str, Slots]) -> None:
    """Give the item tables of a fitted network, and the optimiser's memory of them, the rows of an extended
    catalogue; new rows are the only ones that are written where no item is dropped.
    """
    for name, table in network.tables.items():
        rows = table if network.facts is None or name == "bias" else network.rows(name)
        network.tables[name] = _grown(extension, table, rows)
        slots[name] = {slot: _grown(extension, values, values) for slot, values in slots[name].items()}
    if network.facts is not None:
        unknown = Facts.nothing(len(extension.new_items), network.facts.numbers.shape[1])
        network.facts = network.facts.of(extension.kept).followed_by(unknown)
    network.architecture = replace(network.architecture, n_items=len(extension.sessions.vocabulary))


def renumber(old: Vocabulary, sessions: Sessions, network: Network, slots: dict[str, Slots]) -> None:
    """Give the item tables of a network that was fitted on some of these sessions, and the optimiser's memory
    of them, the rows of all their items in their own order.
    """
    extension = extend(old, sessions)
    order = extension.sessions.vocabulary.numbers(sessions.vocabulary.ids)

    def renumbered(values: Tensor) -> Tensor:
        return torch.from_numpy(extension.rows_from(values.cpu().numpy())[order]).to(values.device)

    for name, table in network.tables.items():
        network.tables[name] = renumbered(table)
        slots[name] = {slot: renumbered(values) for slot, values in slots[name].items()}
    network.architecture = replace(network.architecture, n_items=len(sessions.vocabulary))


def require_same(
    settings: Settings, network: Network, slots: dict[str, Slots], context: tuple[str, ...] = ()
) -> None:
    """Raise ParameterError unless these settings go on with the network and the memory that were fitted."""
    remembered = {slot for values in slots.values() for slot in values}
    names = OPTIMISERS[settings.optimizer].slot_names
    kept = {slot for slot in names if slot != "velocity" or settings.momentum}
    same = settings.architecture(network.architecture.n_items) == network.architecture
    if not same or kept != remembered or settings.context != context:
        raise ParameterError(
            "partial_fit goes on with the network and the optimizer that were fitted, but layers, cell, "
            "scale, look_back, repeats, context, embedding, constrained_embedding, optimizer or momentum "
            "have been changed since: set them back, or call fit"
        )


def _grown(extension: Extension, table: Tensor, rows: Tensor) -> Tensor:
    """The table of the extended catalogue; the new items' rows, of which no facts are known, are made of old
    ones with theirs."""
    new = torch.from_numpy(extension.new_rows(rows.cpu().numpy())).to(table.device)
    if not extension.drops:
        return appended(table, new)
    moved = np.flatnonzero(extension.kept != np.arange(len(extension.kept)))
    table[moved] = table[extension.kept[moved]]
    return appended(table[: len(extension.kept)], new)


def fade_sums(fitted: Fitted, extension: Extension, half_life: float) -> None:
    """Let Adagrad forget: its sums of squares lose half in every half-life, so that what has learned much
    goes on learning. Of the item tables those rows that the newer sessions click, by the clicks since they
    were clicked last: the cost is that of the new clicks. Moving means, as of Adam, forget by themselves.
    """
    sessions, before = extension.sessions, fitted.recency
    newer = int(sessions.counted.sum())
    clicked = np.unique(sessions.items[sessions.counted])
    clicked = clicked[clicked < len(extension.kept)].astype(np.int64)
    of_rows = torch.from_numpy(
        remaining(before.clicks + newer - before.seen[extension.kept[clicked]], half_life)
    )
    of_layers = float(remaining(np.array(newer), half_life))
    for name, memory in fitted.slots.items():
        if set(memory) - {"velocity"} != {"sums"}:
            continue
        sums = memory["sums"]
        if name in fitted.network.tables:
            rows = torch.from_numpy(clicked).to(sums.device)
            sums[rows] *= of_rows.to(sums.device, sums.dtype)[:, None]
        else:
            sums *= of_layers
