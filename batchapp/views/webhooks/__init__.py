"""Pages of the webhooks of a project."""
