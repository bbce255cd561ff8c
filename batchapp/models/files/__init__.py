"""Files of requests, and the tables and prompt templates they are made from."""
