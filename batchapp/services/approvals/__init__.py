"""The policy of a project, and what happens to batches that wait for approval."""
