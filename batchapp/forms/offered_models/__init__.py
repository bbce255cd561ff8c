"""Forms of the pages about models."""
