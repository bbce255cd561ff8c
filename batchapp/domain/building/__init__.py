"""From a table and a prompt to a file of requests."""
