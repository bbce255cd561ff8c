"""Prove that what is stored is whole, and delete what was kept long enough."""
