"""The inbox, and what a person wants to be told of."""
