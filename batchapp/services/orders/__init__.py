"""Quote the cost of a file, and order a batch of its requests."""
