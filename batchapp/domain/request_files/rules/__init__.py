"""What one request must look like, and what may be wrong with it."""
