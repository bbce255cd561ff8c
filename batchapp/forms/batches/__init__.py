"""Forms of the pages about batches and their results."""
