"""Create and rename projects, and change who is in them."""
