"""What a file holds, and every fault in it, in one pass."""
