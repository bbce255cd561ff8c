"""The price table, for staff."""
