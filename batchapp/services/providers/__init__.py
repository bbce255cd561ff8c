"""Store provider keys, and handle refusals and silence of a provider."""
