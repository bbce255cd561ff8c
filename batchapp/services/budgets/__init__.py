"""Set, change and remove budgets, and tell what is left of them."""
