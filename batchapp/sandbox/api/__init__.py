"""Parts that all endpoints share, and the endpoints about models, costs and the sandbox itself."""
