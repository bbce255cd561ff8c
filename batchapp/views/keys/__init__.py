"""Provider keys: whose they are, whether they work, and what they hear."""
