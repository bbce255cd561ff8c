"""Files: received, checked, shown and read back."""
