"""Results of requests: how each request ended, and the check that every request has a result."""
