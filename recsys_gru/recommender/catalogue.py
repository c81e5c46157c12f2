"""A fitted network over a catalogue that changes: items with facts come, go and become others, and nothing is
learned for it."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from recsys_gru.facts import CheckedItems, Encoding, ItemsData, Moments, check_items
from recsys_gru.model.facts import Facts
from recsys_gru.model.rows import appended
from recsys_gru.recommender.stream import Fitted
from recsys_gru.sessions import Sessions, Vocabulary


class Known(NamedTuple):
    """Facts about the items of a catalogue, and how they became numbers."""

    encoding: Encoding
    facts: Facts

    @property
    def for_network(self) -> tuple[Facts, int]:
        """The facts, and how many labels there are."""
        return self.facts, self.encoding.n_labels


def with_items(sessions: Sessions, items: ItemsData) -> tuple[Sessions, Known]:
    """The sessions in a catalogue that has the items without a click too, and what is known about all.

    Raises:
        SchemaError, InputError: the items are none that can be used, or not those of the sessions.
    """
    checked = check_items(items, ids_like=sessions.vocabulary)
    vocabulary = _with_unclicked(sessions.vocabulary, checked)
    encoding = Encoding.of(checked, vocabulary)
    facts = Facts(*encoding.numbers_of(checked, vocabulary))
    return replace(sessions, vocabulary=vocabulary), Known(encoding, facts)


def moments_in(sessions: Sessions, context: tuple[str, ...]) -> Moments | None:
    """The labels of what is known about the moments of sessions' clicks; None where nothing is asked for.

    Raises:
        InputError: a column has no label, or more than can be labels.
    """
    if not context or sessions.moment is None:
        return None
    return Moments.of(sessions.moment.select(context))


def with_added(fitted: Fitted, encoding: Encoding, facts: Facts, items: ItemsData) -> Fitted:
    """The same with some items added, or known anew where they are there already; in place, as far as it
    goes.

    Raises:
        SchemaError, InputError: the items are none that can be used, or of other columns.
    """
    checked = encoding.check(items, fitted.vocabulary)
    vocabulary = _with_unclicked(fitted.vocabulary, checked)
    count, network = len(vocabulary) - len(fitted.vocabulary), fitted.network
    newer = Facts(*encoding.numbers_of(checked, vocabulary))
    told = np.zeros(len(vocabulary), np.bool_)
    told[vocabulary.numbers(checked.items["item_id"])] = True
    older = facts.followed_by(Facts.nothing(count, encoding.width))
    network.facts = older.replaced(told, newer)
    for name, table in network.tables.items():
        grown = _with_zeros(table, count)
        if name == "bias":
            grown[len(table) :] = network.level
        network.tables[name] = grown
        memory = fitted.slots[name]
        memory.update({slot: _with_zeros(values, count) for slot, values in memory.items()})
    network.architecture = replace(network.architecture, n_items=len(vocabulary))
    return replace(fitted, vocabulary=vocabulary, recency=fitted.recency.followed_by(count))


def without(fitted: Fitted, keep: NDArray[np.bool_]) -> Fitted:
    """The same with those of its items (N,) alone that are to be kept."""
    network, kept = fitted.network, np.flatnonzero(keep)
    rows = torch.from_numpy(kept).to(network.device)
    for name, table in network.tables.items():
        network.tables[name] = table[rows]
        memory = fitted.slots[name]
        memory.update({slot: values[rows] for slot, values in memory.items()})
    if network.facts is not None:
        network.facts = network.facts.of(kept)
    network.architecture = replace(network.architecture, n_items=len(kept))
    old = fitted.vocabulary
    names = None if old.names is None else old.names.filter(pl.Series(keep))
    vocabulary = Vocabulary(old.ids.filter(pl.Series(keep)), old.support[kept], names)
    return replace(fitted, vocabulary=vocabulary, recency=fitted.recency.chosen(kept))


def _with_unclicked(vocabulary: Vocabulary, checked: CheckedItems) -> Vocabulary:
    """The catalogue and, after it, those of the items that it lacks; by the names that they have now."""
    ids = checked.items["item_id"]
    new = ids.filter(pl.Series(vocabulary.numbers(ids) < 0)).cast(vocabulary.ids.dtype)
    support = np.concatenate([vocabulary.support, np.zeros(len(new), np.int64)])
    names = None if vocabulary.names is None else vocabulary.names.extend_constant(None, len(new))
    return checked.naming(Vocabulary(pl.concat([vocabulary.ids, new]), support, names))


def _with_zeros(table: torch.Tensor, count: int) -> torch.Tensor:
    return appended(table, table.new_zeros(count, *table.shape[1:])) if count else table
