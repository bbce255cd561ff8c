"""The log of requests that uvicorn writes."""

import logging

from config.discreet_logs import without_secrets


class DiscreetRequests(logging.Filter):
    """Takes the secrets out of the addresses of requests before a line is made of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_secrets(fact) if isinstance(fact, str) else fact for fact in record.args
            )
        return True
