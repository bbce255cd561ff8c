"""Read tables and turn their rows into requests."""
