"""Reproducible figures, reachable as `fediomt bench`."""
