"""From a table to a file of requests."""
