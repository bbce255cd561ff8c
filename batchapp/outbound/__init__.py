"""Send messages to addresses that people enter, and to no private one by mistake. No Django."""
