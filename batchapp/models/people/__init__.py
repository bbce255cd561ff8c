"""People, projects, and who works in which project."""
