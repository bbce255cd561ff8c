"""Move rows: claim a row, run its step, and record the outcome."""
