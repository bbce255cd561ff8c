"""Pages of the steps from a file to a batch. Only the last step spends money."""
