"""Move a batch from the order to its results and its cost."""
