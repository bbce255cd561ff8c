"""A team portal for batch LLM inference."""
