"""When people are told of what happened."""
