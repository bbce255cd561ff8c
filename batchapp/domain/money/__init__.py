"""Prices, and what a file would cost by them."""
