"""Batches, their provider batches, results and costs."""
