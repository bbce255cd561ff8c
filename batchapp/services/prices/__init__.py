"""Keep the dated price table."""
