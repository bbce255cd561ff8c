"""Verbs, one room a file. Services do not call each other and never enqueue."""
