"""Read the bytes of a request file: unpack them, cut them into lines, decode the JSON."""
