"""Where the bytes of files, tables and results are stored, and how their slices are read."""
