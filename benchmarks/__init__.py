"""Measurements, each beside a floor written by hand, as ratios that were taken in one run."""
