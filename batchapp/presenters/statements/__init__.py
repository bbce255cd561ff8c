"""Say what a statement holds, and how far a month is."""
