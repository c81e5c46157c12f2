"""Ranks -> metrics -> report, slices, statistics, sanity. Knows no model, only scorers."""

from recsys_gru.evaluation.replay import evaluate
from recsys_gru.evaluation.report import Report

__all__ = ["Report", "evaluate"]
