"""Add up costs, and compare estimates with costs."""
