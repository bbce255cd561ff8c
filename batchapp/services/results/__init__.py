"""Read, merge and retry the results of a batch."""
