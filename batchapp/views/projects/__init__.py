"""Pages of projects and their members."""
