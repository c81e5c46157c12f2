"""Measurements; each script runs on its own and prints what it found."""
