"""Parts that models are built from: leased rows, money, encrypted secrets."""
