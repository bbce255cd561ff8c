"""Take in tables and make files of requests from them."""
