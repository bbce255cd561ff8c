"""The pages on which owners approve or deny batches."""
