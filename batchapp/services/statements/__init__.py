"""Close months, and read the statements of projects."""
