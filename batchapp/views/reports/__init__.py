"""What was spent, and how close the estimates were."""
