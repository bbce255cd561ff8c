"""Lines of the log without the secrets of addresses, so that nobody comes in by reading a log.

The lines of the portal itself stay as they are: the link of the first run, and e-mails that no
mail server takes, are in the log for whoever runs the portal.
"""

import logging
import re

_SECRETS = re.compile(
    r"(/invitations/|/sign-up/verify/|/password/reset/\w+-|/notifications/off/|/first-run/\?token=|"
    r"/statement-mail/(?:confirm|stop)/)[^\s/?&\"']+"
)
_WRITE_ADDRESSES = ("django.", "uvicorn.")  # loggers


def without_secrets(text: str) -> str:
    """Return ``text`` with stars in the place of what lets somebody in."""
    return _SECRETS.sub(r"\1***", text)


class LineFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return without_secrets(line) if record.name.startswith(_WRITE_ADDRESSES) else line
