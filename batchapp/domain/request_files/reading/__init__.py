"""Bytes of a request file: what kind of file, which lines, which JSON."""
