"""The pages of the portal: one function for each page."""
