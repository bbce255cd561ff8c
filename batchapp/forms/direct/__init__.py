"""Forms of the list of single requests."""
