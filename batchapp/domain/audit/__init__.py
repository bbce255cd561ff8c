"""Prepare and seal the events of the audit. Pure: no Django, no I/O."""
