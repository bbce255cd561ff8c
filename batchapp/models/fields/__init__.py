"""Field and base classes for models: leased rows, money, encrypted secrets."""
