"""Batches: made, followed, stopped, started again, read."""
