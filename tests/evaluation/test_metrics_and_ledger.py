"""Metrics against plain loops and against ranx; the ledger goes to disk and comes back."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.retrieval import (
    retrieval_average_precision,
    retrieval_normalized_dcg,
    retrieval_recall,
    retrieval_reciprocal_rank,
)

from recsys_gru.errors import ParameterError, SchemaError
from recsys_gru.evaluation import metrics_from_ranks, read_ranks, write_ranks
from tests.evaluation.ledgers import random_ledger

RANKS = st.lists(st.one_of(st.integers(1, 60).map(float), st.just(math.inf)), min_size=1, max_size=30)


def slow_metric(name: str, ranks: list[float], k: int) -> float:
    total = 0.0
    for rank in ranks:
        if rank <= k:
            total += {"recall": 1.0, "mrr": 1 / rank, "map": 1 / rank, "ndcg": 1 / math.log2(rank + 1)}[name]
    return total / len(ranks)


@given(ranks=RANKS, k=st.integers(1, 70))
def test_each_metric_equals_a_plain_loop(ranks: list[float], k: int) -> None:
    found = metrics_from_ranks(pl.DataFrame({"rank": ranks}), cutoffs=[k])
    for name in ("recall", "mrr", "ndcg", "map"):
        assert found[f"{name}_at_{k}"] == pytest.approx(slow_metric(name, ranks, k))


THEIRS = {
    "recall": retrieval_recall,
    "mrr": retrieval_reciprocal_rank,
    "ndcg": retrieval_normalized_dcg,
    "map": retrieval_average_precision,
}


@pytest.mark.parametrize("name", THEIRS)
def test_metrics_equal_those_of_torchmetrics(name: str) -> None:
    generator = np.random.default_rng(1)
    scores = generator.permuted(np.tile(np.arange(50.0), (80, 1)), axis=1)
    targets = generator.integers(0, 50, 80)
    ranks = 1.0 + (scores > scores[np.arange(80), targets][:, None]).sum(axis=1)
    for k in (1, 5, 20):
        relevant = torch.from_numpy(np.arange(50) == targets[:, None])
        pairs = zip(torch.from_numpy(scores), relevant, strict=True)
        theirs = np.mean([float(THEIRS[name](row, target, top_k=k)) for row, target in pairs])
        ours = metrics_from_ranks(pl.DataFrame({"rank": ranks}), [name], [k])
        assert ours[f"{name}_at_{k}"] == pytest.approx(theirs)


def test_a_ledger_comes_back_from_parquet_as_it_went(tmp_path: Path) -> None:
    ranks = random_ledger(50, seed=1)
    write_ranks(ranks, tmp_path / "ranks.parquet")
    assert read_ranks(tmp_path / "ranks.parquet").equals(ranks)
    assert [path.name for path in tmp_path.iterdir()] == ["ranks.parquet"]


def test_a_foreign_file_or_frame_is_no_ledger(tmp_path: Path) -> None:
    ranks = random_ledger(5, seed=1)
    with pytest.raises(SchemaError, match="support"):
        write_ranks(ranks.drop("support"), tmp_path / "ranks.parquet")
    ranks.drop("hour").write_parquet(tmp_path / "other.parquet")
    with pytest.raises(SchemaError, match="hour"):
        read_ranks(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(SchemaError, match="cannot read"):
        read_ranks(tmp_path / "text.parquet")


def test_impossible_metrics_rules_and_cut_offs_are_refused() -> None:
    ranks = random_ledger(5, seed=1)
    with pytest.raises(ParameterError, match="precision"):
        metrics_from_ranks(ranks, metrics=["precision"])
    with pytest.raises(ParameterError, match="cut-offs"):
        metrics_from_ranks(ranks, cutoffs=[0])
    with pytest.raises(ParameterError, match="lucky"):
        metrics_from_ranks(ranks, ties="lucky")
    with pytest.raises(ParameterError, match="at least one event"):
        metrics_from_ranks(ranks.clear())
