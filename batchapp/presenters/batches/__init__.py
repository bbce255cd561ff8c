"""Say of a batch what pages show: status, headline, cost, warnings and possible actions."""
