"""Input tokens of a request, exact where the model's vocabulary and chat template are known."""
