"""Code that is there only for speed; each module states its measured gain."""
