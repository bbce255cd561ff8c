"""Import batches that other programs created with the same provider key."""
