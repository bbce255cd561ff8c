"""Receive files of requests, check them and correct them."""
