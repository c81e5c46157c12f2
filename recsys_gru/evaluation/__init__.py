"""Ranks to metrics to report: slices, intervals, comparisons, warnings, pages and plots.

In it: replay (walk and rank), ledger (a row an event), metrics, statistics, slices, compare, lists and cases
(what is shown), reliability (whether probabilities hold), sanity (what to doubt), page and plots. Used by
whoever measures. It knows no model, only scorers: it must never import training, a model or MLflow.
"""

from recsys_gru.evaluation.cases import example_recommendations, recall_curve, worst_sessions
from recsys_gru.evaluation.compare import Comparison, compare, compare_many
from recsys_gru.evaluation.ledger import metrics_from_ranks, read_ranks, write_ranks
from recsys_gru.evaluation.lists import Lists, list_metrics, recommendation_lists
from recsys_gru.evaluation.page import ReportPage
from recsys_gru.evaluation.plots import draw_comparison, draw_recall_curves, draw_slices
from recsys_gru.evaluation.prequential import Prequential, prequential
from recsys_gru.evaluation.reliability import Reliability, reliability
from recsys_gru.evaluation.replay import evaluate
from recsys_gru.evaluation.report import Report
from recsys_gru.evaluation.reporting import report_page, write_report
from recsys_gru.evaluation.sanity import OrderProbe, order_probe, refuse_leaks, tie_rate, warnings_of
from recsys_gru.evaluation.slices import first_seen, slices
from recsys_gru.evaluation.statistics import holm, intervals

__all__ = [
    "Comparison",
    "Lists",
    "OrderProbe",
    "Prequential",
    "Reliability",
    "Report",
    "ReportPage",
    "compare",
    "compare_many",
    "draw_comparison",
    "draw_recall_curves",
    "draw_slices",
    "evaluate",
    "example_recommendations",
    "first_seen",
    "holm",
    "intervals",
    "list_metrics",
    "metrics_from_ranks",
    "order_probe",
    "prequential",
    "read_ranks",
    "recall_curve",
    "recommendation_lists",
    "refuse_leaks",
    "reliability",
    "report_page",
    "slices",
    "tie_rate",
    "warnings_of",
    "worst_sessions",
    "write_ranks",
    "write_report",
]
