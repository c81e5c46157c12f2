"""How far a model's probabilities can be believed: what items shown were given, and how often they came."""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys_gru.arguments import whole_number
from recsys_gru.errors import ClickLogError, ParameterError
from recsys_gru.evaluation.slices import ratio_error
from recsys_gru.evaluation.views import what_is_there
from recsys_gru.forked import need_threads
from recsys_gru.ranking import PREFIXES, Scorer, context_of, popularity_block, top_k, vocabulary_of
from recsys_gru.sessions import SessionData, Sessions, as_sessions

Ints = NDArray[np.int64]

EDGES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where one bin of probabilities ends and the next begins. Logarithmic, as most items of a list have a small
probability: all but one of bins of equal counts would lie there, and what a model is sure of would share one.
The same for every model and day, so that bins can be held against each other."""
SESSIONS = 2000
"""The most sessions looked at unless told otherwise, so that a long test part costs no more than a short."""


@final
@dataclass(frozen=True, eq=False)
class Reliability:
    """What a model promised of the first k items of its lists, beside what came.

    Attributes:
        bins: those that hold an item: low and high end (not in it, but 1), items shown, mean probability,
            the share of them that came next, the 95 % interval of that share (null below 10 sessions).
        k: items of a list.
        clicks: clicks foretold, a list each.
        sessions: sessions they are of.
    """

    bins: pl.DataFrame
    k: int
    clicks: int
    sessions: int

    @property
    def calibration_error(self) -> float:
        """The expected calibration error: distance of promise and truth in a bin, a mean over items shown."""
        apart = (pl.col("probability") - pl.col("came")).abs()
        return float(self.bins.select((apart * pl.col("items")).sum() / pl.col("items").sum()).item())

    @property
    def promised(self) -> float:
        """Recall@k as the probabilities would have it: the mean of their sum over a list."""
        return self._per_click("probability")

    @property
    def kept(self) -> float:
        """Recall@k as it came."""
        return self._per_click("came")

    def _per_click(self, name: str) -> float:
        return float(self.bins.select((pl.col(name) * pl.col("items")).sum()).item()) / self.clicks


def reliability(
    model: Scorer, test: SessionData, k: int = 20, *, sessions: int = SESSIONS, seed: int = 0
) -> Reliability:
    """Hold the probabilities of the first k items against what came, for every counted click from the second
    of its session on.

    The model shares all probability among the items it knows, though a click may be on another: there none
    of the items shown came, so that even who foretells known items perfectly promises too much by the share
    of unknown ones. Where all before a click is unknown popularity answers, as in ``recommend``.

    Args:
        model: one whose scores are probabilities over its catalogue.
        test: sessions the model has not learned, in any form that ``evaluate`` takes.
        k: items of a list.
        sessions: the most sessions looked at, drawn from those with a click to foretell.
        seed: of the draw.

    Raises:
        ParameterError: if an argument is not one of those above.
        ClickLogError: if there is no click to foretell.
        NonFiniteScoresError: if the model gives NaN or infinite scores.

    Source: Niculescu-Mizil & Caruana, Predicting Good Probabilities With Supervised Learning, ICML 2005
    (reliability diagram); Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3
    (expected calibration error), here over all items of a list and not the first alone.

    >>> import recsys_gru as rg
    >>> from datetime import timedelta
    >>> log = rg.generate_clicks(n_sessions=400, n_items=50, days=9, seed=1)
    >>> train, test = rg.split_by_time(log, test=timedelta(days=2))
    >>> blend = rg.Blend([rg.Markov(), rg.Popularity()]).fit(train)
    >>> reliability(blend, test, k=5).calibration_error < 0.1
    True
    """
    k, seed = whole_number("k", k, 1), whole_number("seed", seed, 0)
    sessions = whole_number("sessions", sessions, 1)
    need_threads("reliability")
    packed = as_sessions(test, vocabulary=vocabulary_of(model), context=context_of(model))
    if not gives_probabilities(model):
        raise ParameterError(
            f"expected a model whose scores are probabilities, got a {type(model).__name__}: give a Blend, "
            "of this model alone if need be"
        )
    owners = np.unique(_foretold(packed).owners)
    if not len(owners):
        raise ClickLogError("expected test sessions with a second click" + what_is_there(packed))
    if len(owners) > sessions:
        owners = np.sort(np.random.default_rng(seed).choice(owners, sessions, replace=False))
    chosen = packed.part(owners)
    lost = packed.unknown.filter(pl.col("session_id").is_in(chosen.ids.implode()))
    return _held_against(model, replace(chosen, unknown=lost), k)


def gives_probabilities(model: Scorer) -> bool:
    """Whether the scores of a model are probabilities over its catalogue."""
    return bool(getattr(model, "probabilities", False))


def _held_against(model: Scorer, sessions: Sessions, k: int) -> Reliability:
    clicks = _foretold(sessions)
    items, given = _lists(model, sessions, k)
    items, given = items[clicks.before], given[clicks.before]  # (C, k)
    shown = items >= 0
    table = pl.DataFrame(
        {
            "session": np.repeat(clicks.owners, shown.sum(axis=1)),
            "bin": np.digitize(given[shown], EDGES),
            "probability": given[shown].astype(np.float64),
            "came": (items == clicks.targets[:, None])[shown],
        }
    )
    return Reliability(_bins(table), k, len(clicks.targets), len(np.unique(clicks.owners)))


class _Clicks(NamedTuple):
    """C clicks to foretell: the sessions they are in, the known event before each (-1 for none), their items
    (-2 for an unknown one).
    """

    owners: Ints
    before: Ints
    targets: Ints


def _foretold(sessions: Sessions) -> _Clicks:
    """Every counted click that another one goes before, known or not."""
    numbers = np.arange(sessions.n_sessions)
    table = pl.DataFrame({"session_id": sessions.ids, "owner": numbers, "begin": sessions.offsets[:-1]})
    lost = (
        sessions.unknown.join(table, on="session_id", how="left", maintain_order="left")
        .with_columns(known=pl.col("position") - pl.int_range(pl.len()).over("session_id"))
        .with_columns(
            before=pl.when(pl.col("known") > 0).then(pl.col("begin") + pl.col("known")).otherwise(0) - 1
        )
    )
    begun = np.isin(numbers, lost.filter(pl.col("position") == 0)["owner"].to_numpy())
    owner = np.repeat(numbers, sessions.lengths)
    before = np.where(np.diff(owner, prepend=-1) == 0, np.arange(len(owner)) - 1, -1)
    told = sessions.counted & ((before >= 0) | begun[owner])
    lost = lost.filter(pl.col("position") > 0)
    if sessions.since is not None:
        lost = lost.filter(pl.col("time").dt.epoch("us") >= sessions.since)
    return _Clicks(
        np.concatenate([owner[told], lost["owner"].to_numpy()]),
        np.concatenate([before[told], lost["before"].to_numpy()]),
        np.concatenate([sessions.items[told], np.full(lost.height, -2)]).astype(np.int64),
    )


def _lists(model: Scorer, sessions: Sessions, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best items and their scores after each event (E + 1, k); the last row is popularity's."""
    items = np.full((sessions.n_events + 1, k), -1, dtype=np.int32)
    scores = np.zeros((sessions.n_events + 1, k), dtype=np.float32)
    for every in (True, False):  # the events with a known one behind them, and the last of each session
        for block in model.blocks(sessions, every=every, rows=PREFIXES):
            items[block.rows], scores[block.rows] = top_k(block, k)
    items[-1:], scores[-1:] = top_k(popularity_block(sessions.vocabulary, np.zeros(1, dtype=np.int64)), k)
    return items, scores


def _bins(table: pl.DataFrame) -> pl.DataFrame:
    """The bins of items shown: session, bin, probability, whether it came."""
    sums = table.group_by("bin", "session", maintain_order=True).agg(
        pl.len().alias("events"), pl.col("probability").sum(), pl.col("came").sum()
    )
    z = NormalDist().inv_cdf(0.975)
    total = pl.col("events").sum()
    bins = sums.group_by("bin").agg(
        total.alias("items"), pl.col("probability", "came").sum() / total, ratio_error("came")
    )
    ends = pl.DataFrame({"bin": range(len(EDGES) + 1), "low": [0.0, *EDGES], "high": [*EDGES, 1.0]})
    ends = ends.with_columns(pl.col("bin").cast(bins.schema["bin"]))
    return (
        bins.join(ends, on="bin")
        .sort("bin")
        .select(
            "low", "high", "items", "probability", "came",
            (pl.col("came") - z * pl.col("came_error")).clip(0, 1).alias("came_low"),
            (pl.col("came") + z * pl.col("came_error")).clip(0, 1).alias("came_high"),
        )
    )  # fmt: skip
