"""Timings and long comparisons, run by hand: ``python -m benchmarks.evaluate``."""
