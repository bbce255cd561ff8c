"""Batches: how each is, what came of it, and what people want of it."""
