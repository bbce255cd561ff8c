"""Pages of portal keys."""
