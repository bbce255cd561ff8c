"""Forms of the pages about prices."""
