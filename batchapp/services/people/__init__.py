"""Make people, invite them, and deactivate them."""
