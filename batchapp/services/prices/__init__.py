"""Change and compare the prices of models, which are valid from one time to another."""
