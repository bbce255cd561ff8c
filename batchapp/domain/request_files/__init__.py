"""Check a request file in one pass: its facts and every finding."""
