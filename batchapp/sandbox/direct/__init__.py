"""Requests outside of batches, which are answered at once, as a stream, or in the background."""
