"""Pages that show the results of a batch."""
