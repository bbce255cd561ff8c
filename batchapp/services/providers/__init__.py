"""Keep provider keys, and remember how each provider answers."""
