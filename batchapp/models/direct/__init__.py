"""Requests outside of batches that the portal has passed on."""
