"""The reports of all projects, on costs and on the accuracy of estimates."""
