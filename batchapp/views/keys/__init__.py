"""Pages of provider keys, their tests and their webhooks."""
