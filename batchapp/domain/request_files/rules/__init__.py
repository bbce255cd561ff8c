"""The rules that one request must follow, and the findings where it does not."""
