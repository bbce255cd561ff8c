"""The steps from a file to a batch; none but the last spends money."""
