"""Add up what was spent, and compare estimates with costs."""
