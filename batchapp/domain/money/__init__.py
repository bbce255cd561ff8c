"""Prices, and the cost of a file at these prices."""
