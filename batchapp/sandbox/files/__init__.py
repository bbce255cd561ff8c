"""Files: uploads and their checks, lists, and downloads."""
