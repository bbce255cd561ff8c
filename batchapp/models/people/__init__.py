"""People, projects and memberships."""
