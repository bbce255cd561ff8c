"""The pages of statements, and the close of a month."""
