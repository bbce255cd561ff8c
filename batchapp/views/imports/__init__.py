"""Pages that import batches which were made elsewhere."""
