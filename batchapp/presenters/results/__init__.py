"""The parts of pages of results: columns, distributions, rows and chips."""
