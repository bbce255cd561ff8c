"""Pure rules: requests, faults, tokens, prices, outcomes. No Django, no I/O, no clock."""
