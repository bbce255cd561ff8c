"""Correct a file of requests: a new file is made, the old one stays."""
