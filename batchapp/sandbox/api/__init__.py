"""What all calls have in common, and those about models and money."""
