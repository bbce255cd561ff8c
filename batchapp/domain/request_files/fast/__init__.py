"""Code that exists only for speed; each module states its measured gain."""
