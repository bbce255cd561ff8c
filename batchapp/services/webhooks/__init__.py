"""Messages to other programs: their endpoints, what they say, and how they are delivered."""
