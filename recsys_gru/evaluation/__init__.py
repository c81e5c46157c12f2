"""Ranks -> metrics -> report, slices, statistics, sanity. Knows no model, only scorers."""

from recsys_gru.evaluation.compare import Comparison, compare, compare_many
from recsys_gru.evaluation.ledger import metrics_from_ranks, read_ranks, write_ranks
from recsys_gru.evaluation.replay import evaluate
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.statistics import holm, intervals

__all__ = [
    "Comparison",
    "Report",
    "compare",
    "compare_many",
    "evaluate",
    "holm",
    "intervals",
    "metrics_from_ranks",
    "read_ranks",
    "write_ranks",
]
