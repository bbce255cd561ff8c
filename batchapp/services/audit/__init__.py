"""Read the audit, seal it, prove it, and delete what is older than the rule says."""
