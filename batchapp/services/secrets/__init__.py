"""The secrets that are stored encrypted, wherever they are."""
