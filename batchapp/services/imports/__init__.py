"""Bring batches into the portal that were made elsewhere."""
