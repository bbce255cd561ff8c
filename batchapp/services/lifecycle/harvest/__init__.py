"""Fetch result files, store them, and enter each result."""
