"""The only code that speaks to a provider: a typed HTTP client. No Django."""
