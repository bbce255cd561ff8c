"""What the portal does, one folder per noun. The folders do not import each other."""
