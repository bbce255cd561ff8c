"""Browse, download and merge results, and write files for retries."""
