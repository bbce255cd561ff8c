"""Expect the length of answers from what the requests ask for, before any of them has run."""
