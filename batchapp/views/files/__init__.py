"""Pages that take in files, show the findings of their check, and correct them."""
