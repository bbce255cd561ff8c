"""Pages of batches: lists, details, controls and retries."""
