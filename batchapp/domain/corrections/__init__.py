"""Correct a request file: a new file is made, the original stays as it is."""
