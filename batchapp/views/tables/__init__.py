"""Pages that create a file of requests from a table."""
