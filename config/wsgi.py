"""The entry point of the web server."""

import os

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Utf8Request(WSGIRequest):
    """A request whose address and forms are read as UTF-8, whatever charset its sender names.

    Django takes any codec of Python for the charset of a Content-Type, and fails with a codec that
    is none of texts, such as hex, before a view or a middleware sees the request.
    """

    @property
    def encoding(self) -> None:
        """Return None, which stands for UTF-8 in Django."""

    @encoding.setter
    def encoding(self, charset: str) -> None:
        """Leave the charset of the sender aside."""


class Utf8Handler(WSGIHandler):
    request_class = Utf8Request


django.setup(set_prefix=False)
application = Utf8Handler()
