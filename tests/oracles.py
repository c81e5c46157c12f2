"""Slow, plain re-computations that the fast code is tested against, written from the formulas alone."""
