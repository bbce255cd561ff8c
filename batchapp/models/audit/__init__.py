"""The audit: events that nobody changes, and the seals that prove them."""
