"""Messages to other programs: their signature, the addresses they may go to, and their retries."""
