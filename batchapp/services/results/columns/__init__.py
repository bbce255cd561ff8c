"""The results of a batch in columns, for search, distributions, sorting and exports."""
