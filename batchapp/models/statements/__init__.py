"""The statements of months, their lines, and the closing that freezes them."""
