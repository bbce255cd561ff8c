"""Forms of the webhooks of a project."""
