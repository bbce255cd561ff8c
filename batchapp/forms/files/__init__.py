"""Forms of the pages about files."""
