"""Formats of batch files of other providers: recognize them, and turn them into requests."""
