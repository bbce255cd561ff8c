"""The console: one page, one function."""
