"""Keep what is known of the models of a connection."""
