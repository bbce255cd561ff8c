"""Pure rules: requests, findings, tokens, prices, outcomes. No Django, no I/O, no clock."""
