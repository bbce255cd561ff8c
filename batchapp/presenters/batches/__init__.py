"""What pages say of a batch: status, headline, cost, warnings, and the actions it offers."""
