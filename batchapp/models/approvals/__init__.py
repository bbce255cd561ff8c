"""Approval of batches: who asked for what, and who decided."""
