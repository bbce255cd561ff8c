"""The error of a table that cannot be read."""


class TableError(ValueError):
    """The file has no readable table; the message is a sentence for the person."""
