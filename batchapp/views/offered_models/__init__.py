"""The models of connections, for staff."""
