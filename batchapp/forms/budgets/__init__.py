"""Forms of budgets."""
