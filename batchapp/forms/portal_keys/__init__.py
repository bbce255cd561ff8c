"""Forms for portal keys."""
