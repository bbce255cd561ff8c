"""Find the parts of a file's requests that a provider's prompt cache can reuse."""
