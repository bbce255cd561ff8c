"""Webhooks: registration, events and deliveries."""
