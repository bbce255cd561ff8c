"""How files come in, what a check found, and how they are put right."""
