"""Forms for the inbox and for what a person wants to be told of."""
