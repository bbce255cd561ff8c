"""The engine that moves rows: claim a row, run its step, record how the step ended."""
