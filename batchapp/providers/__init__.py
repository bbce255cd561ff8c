"""The typed HTTP client of a provider; no other code calls a provider. No Django."""
