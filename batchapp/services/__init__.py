"""Do the work of the portal, one folder per noun. The folders do not import each other."""
