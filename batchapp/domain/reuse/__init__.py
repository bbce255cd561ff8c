"""Reuse answers: tell equal requests, and decide which requests of a file need not be sent."""
