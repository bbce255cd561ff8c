"""Quote the cost of a file and decide to run it as a batch."""
