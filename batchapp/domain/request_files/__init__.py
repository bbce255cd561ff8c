"""Check a file of requests in one pass: what it holds and every finding."""
