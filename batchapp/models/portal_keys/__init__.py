"""Portal keys, which the portal gives to people and projects for their scripts."""
