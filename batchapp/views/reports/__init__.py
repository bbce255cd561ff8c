"""The operators' reports on costs and on the accuracy of estimates."""
