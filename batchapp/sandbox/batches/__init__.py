"""Batches: creation, lists, progress, results, cancellation and retries."""
