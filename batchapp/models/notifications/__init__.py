"""What people are told of: notices, and who gets them."""
