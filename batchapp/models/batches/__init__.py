"""Batches, the provider batches they consist of, and their results."""
