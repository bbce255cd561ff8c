"""Take in files of requests, check them and correct them."""
