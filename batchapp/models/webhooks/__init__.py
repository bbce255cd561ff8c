"""Messages to other programs: where they go, what they say, and each attempt to deliver them."""
