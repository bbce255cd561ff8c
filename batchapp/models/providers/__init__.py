"""Providers, the keys to them, and their prices."""
