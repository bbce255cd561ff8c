"""The only code that speaks to a provider: a typed client over HTTP. No Django."""
