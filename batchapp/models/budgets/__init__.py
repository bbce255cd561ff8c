"""Budgets of projects, and what batches reserve and spend of them."""
