"""What a model says to a request."""
