"""Receive tables, and create files of requests from them."""
