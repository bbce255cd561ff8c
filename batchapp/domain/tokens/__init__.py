"""How many input tokens a request has, exactly where the vocabulary is known."""
