"""The person who is here."""
