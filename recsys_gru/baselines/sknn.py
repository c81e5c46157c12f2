"""The session nearest-neighbour models, each a setting of the scheme in ``kernels.neighbors``."""

from typing import final

from recsys_gru.baselines.session_knn import Plan, SessionNeighbors
from recsys_gru.contract import SearchSpace


@final
class SKNN(SessionNeighbors):
    """S-KNN: items of the sessions that share most items with this one, in cosine similarity.

    similarity(s) = shared items / sqrt(length(s) * length(prefix))

    score(i) = sum of similarity(s) over the neighbours s that hold i

    Args:
        neighbors: sessions that vote.
        sample_size: most recent sessions looked at.
        window: days from a session's last event on in which it votes; None for ever.

    Source: Jannach & Ludewig 2017, "When Recurrent Neural Networks meet the Neighborhood for Session-Based
    Recommendation", equations 1 and 2.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> SKNN().fit(clicks_of("abc", "abd", "xd")).recommend_one(["x"])["item_id"].to_list()[0]
    'd'
    """

    def __init__(self, neighbors: int = 200, sample_size: int = 3000, window: float | None = None) -> None:
        self.neighbors = neighbors
        self.sample_size = sample_size
        self.window = window

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {**SIZES}

    def _plan(self) -> Plan:
        return Plan(self.sample_size, self.neighbors, cosine=True)


@final
class VSKNN(SessionNeighbors):
    """V-SKNN: like S-KNN, but late clicks weigh more, in the similarity and in the vote, and rare items gain.

    similarity(s) = sum of decay(d) over the shared items

    score(i) = sum over the neighbours s that hold i of
    similarity(s) * match(d of the latest shared item) * (1 + idf_weight * log(S / sessions with i))

    Args:
        neighbors: sessions that vote.
        sample_size: most recent sessions looked at.
        decay: how a shared item's weight falls with its distance d from the end: same 1, linear 1 - d/n,
            tenths max(0, 1 - (d+1)/10), reciprocal 1/(d+1), quadratic 1/(d+1)^2.
        match: how a neighbour's vote falls with the distance of the latest shared item, in the same words.
        idf_weight: strength of the gain of rare items, 0 is none.
        window: days from a session's last event on in which it votes; None for ever.

    Source: Ludewig & Jannach 2018, "Evaluation of session-based recommendation algorithms", section 3.3
    (V-SKNN); idf as in Ludewig et al. 2020, "Empirical analysis of session-based recommendation algorithms".

    >>> from recsys_gru.contract.toy import clicks_of
    >>> VSKNN().fit(clicks_of("abc", "abd", "xd")).recommend_one(["a", "b", "x"])["item_id"].to_list()[0]
    'd'
    """

    def __init__(
        self,
        neighbors: int = 400,
        sample_size: int = 3000,
        decay: str = "reciprocal",
        match: str = "same",
        idf_weight: float = 3.0,
        window: float | None = None,
    ) -> None:
        self.neighbors = neighbors
        self.sample_size = sample_size
        self.decay = decay
        self.match = match
        self.idf_weight = idf_weight
        self.window = window

    @classmethod
    def search_space(cls) -> SearchSpace:
        falls = ["same", "linear", "tenths", "reciprocal", "quadratic"]
        return {**SIZES, "decay": falls, "match": falls, "idf_weight": ("float", 0.0, 10.0, False)}

    def _plan(self) -> Plan:
        return Plan(
            self.sample_size, self.neighbors, decay=self.decay, match=self.match, idf_weight=self.idf_weight
        )


@final
class STAN(SessionNeighbors):
    """STAN: late clicks, recent sessions and items near the shared one weigh more, each exponentially.

    similarity(s) = sum of exp(-d / click_decay) over the shared items
    / sqrt(length(s) * length(prefix)) * exp(-age(s) / recency)

    score(i) = sum over the neighbours s that hold i of
    similarity(s) * exp(-steps in s from the latest shared item to i / nearness)

    Args:
        neighbors: sessions that vote.
        sample_size: most recent sessions looked at.
        click_decay: in clicks, the paper's lambda 1.
        recency: in days, lambda 2; 0 is none.
        nearness: in clicks, lambda 3; 0 is none.
        window: days from a session's last event on in which it votes; None for ever.

    Source: Garg et al. 2019, "Sequence and Time Aware Neighborhood for Session-based Recommendations",
    equations 2 to 5.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> STAN().fit(clicks_of("axyzb", "ca")).recommend_one(["a"])["item_id"].to_list()[-1]
    'b'
    """

    def __init__(
        self,
        neighbors: int = 250,
        sample_size: int = 4000,
        click_decay: float = 1.2,
        recency: float = 50.0,
        nearness: float = 1.5,
        window: float | None = None,
    ) -> None:
        self.neighbors = neighbors
        self.sample_size = sample_size
        self.click_decay = click_decay
        self.recency = recency
        self.nearness = nearness
        self.window = window

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {**SIZES, **SCALES}

    def _plan(self) -> Plan:
        return Plan(
            self.sample_size,
            self.neighbors,
            decay="exponential",
            decay_scale=self.click_decay,
            cosine=True,
            recency=self.recency,
            nearness=self.nearness,
        )


@final
class VSTAN(SessionNeighbors):
    """VSTAN: STAN, with V-SKNN's fall of the vote with the latest shared item and its gain of rare items.

    STAN's score, each neighbour's part * exp(-d of the latest shared item / match_decay) *
    (1 + idf_weight * log(S / sessions with i))

    Args:
        neighbors: sessions that vote.
        sample_size: most recent sessions looked at.
        click_decay: in clicks.
        recency: in days; 0 is none.
        nearness: in clicks; 0 is none.
        match_decay: in clicks.
        idf_weight: strength of the gain of rare items, 0 is none.
        window: days from a session's last event on in which it votes; None for ever.

    Source: Ludewig et al. 2020, "Empirical analysis of session-based recommendation algorithms", section
    2.2 (VSTAN).

    >>> from recsys_gru.contract.toy import clicks_of
    >>> VSTAN().fit(clicks_of("ab", "cb", "cd")).recommend_one(["c", "a"])["item_id"].to_list()[0]
    'b'
    """

    def __init__(
        self,
        neighbors: int = 500,
        sample_size: int = 3000,
        click_decay: float = 2.0,
        recency: float = 80.0,
        nearness: float = 3.0,
        match_decay: float = 2.5,
        idf_weight: float = 3.0,
        window: float | None = None,
    ) -> None:
        self.neighbors = neighbors
        self.sample_size = sample_size
        self.click_decay = click_decay
        self.recency = recency
        self.nearness = nearness
        self.match_decay = match_decay
        self.idf_weight = idf_weight
        self.window = window

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {
            **SIZES,
            **SCALES,
            "match_decay": ("float", 0.2, 20.0, True),
            "idf_weight": ("float", 0.0, 10.0, False),
        }

    def _plan(self) -> Plan:
        return Plan(
            self.sample_size,
            self.neighbors,
            decay="exponential",
            decay_scale=self.click_decay,
            match="exponential",
            match_scale=self.match_decay,
            cosine=True,
            recency=self.recency,
            nearness=self.nearness,
            idf_weight=self.idf_weight,
        )


@final
class VMISKNN(SessionNeighbors):
    """VMIS-kNN: V-SKNN on posting lists cut at the most recent sessions, made for millions of items.

    similarity(s) = sum of (1 - d/n) over the shared items

    score(i) = sum over the neighbours s that hold i of
    similarity(s) * max(0, 1 - (d of the latest shared item + 1) / 10) * log(S / sessions with i)

    Args:
        neighbors: sessions that vote.
        sample_size: most recent sessions looked at, and the longest posting list.
        window: days from a session's last event on in which it votes; None for ever.

    Source: Kersbergen et al. 2022, "Serenade: Low-Latency Session-Based Recommendation in e-Commerce at
    Scale", section 3.

    >>> from recsys_gru.contract.toy import clicks_of
    >>> VMISKNN().fit(clicks_of("abc", "abd", "xd")).recommend_one(["x"])["item_id"].to_list()[0]
    'd'
    """

    def __init__(self, neighbors: int = 450, sample_size: int = 2000, window: float | None = None) -> None:
        self.neighbors = neighbors
        self.sample_size = sample_size
        self.window = window

    @classmethod
    def search_space(cls) -> SearchSpace:
        return {**SIZES}

    def _plan(self) -> Plan:
        return Plan(
            self.sample_size, self.neighbors, decay="linear", match="tenths", idf_base=0.0, idf_weight=1.0
        )


SIZES: SearchSpace = {"neighbors": ("int", 50, 1500, True), "sample_size": ("int", 500, 10_000, True)}
SCALES: SearchSpace = {
    "click_decay": ("float", 0.2, 20.0, True),
    "recency": ("float", 1.0, 200.0, True),
    "nearness": ("float", 0.2, 20.0, True),
}
