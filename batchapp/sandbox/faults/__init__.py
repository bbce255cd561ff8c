"""Faults: errors of the provider and of the network that a test or a user requests."""
