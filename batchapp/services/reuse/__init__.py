"""Reuse answers: offer it, write a file of what is new, and give its results the answers."""
