"""Ranks -> metrics -> report, slices, statistics, sanity. Knows no model, only scorers."""

from recsys_gru.evaluation.compare import Comparison, compare, compare_many
from recsys_gru.evaluation.ledger import metrics_from_ranks, read_ranks, write_ranks
from recsys_gru.evaluation.lists import Lists, list_metrics, recommendation_lists
from recsys_gru.evaluation.replay import evaluate
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.sanity import OrderProbe, order_probe, refuse_leaks, tie_rate, warnings_of
from recsys_gru.evaluation.slices import first_seen, slices
from recsys_gru.evaluation.statistics import holm, intervals

__all__ = [
    "Comparison",
    "Lists",
    "OrderProbe",
    "Report",
    "compare",
    "compare_many",
    "evaluate",
    "first_seen",
    "holm",
    "intervals",
    "list_metrics",
    "metrics_from_ranks",
    "order_probe",
    "read_ranks",
    "recommendation_lists",
    "refuse_leaks",
    "slices",
    "tie_rate",
    "warnings_of",
    "write_ranks",
]
