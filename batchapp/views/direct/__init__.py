"""Pages of single requests."""
