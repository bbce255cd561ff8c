"""Projects, and who works in them."""
