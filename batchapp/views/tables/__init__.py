"""Pages that make a file of requests from a table."""
