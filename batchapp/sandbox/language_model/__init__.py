"""A simulated language model: answers follow from the request by fixed rules."""
