"""Tags and cost centres of batches: what a person gives, and what a new batch inherits."""
