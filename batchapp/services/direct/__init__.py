"""Requests outside of batches: what they may cost, and what they have cost."""
