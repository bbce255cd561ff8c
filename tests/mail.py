"""Receive and read the e-mails that the portal sends."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.mail import EmailMessage

from tests.processes.portal import free_port


def link_in(message: EmailMessage) -> str:
    """Return the path of the first link of the portal in the e-mail."""
    (link, *_) = re.findall(rf"{re.escape(settings.PUBLIC_URL)}(/\S+)", str(message.body))
    return urlsplit(link).path


def links_in(text: str) -> list[str]:
    """Return the paths of all links of the portal in the text of an e-mail, in their order."""
    links = re.findall(rf"{re.escape(settings.PUBLIC_URL)}(/\S+)", text)
    return [urlsplit(link).path for link in links]


class Letters:
    """What an SMTP server of the tests took, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answer = ""  # to a recipient; "" accepts

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.answer:
            envelope.rcpt_tos.append(address)
        return self.answer or "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.taken.append(envelope)
        return "250 OK"

    def message(self, number: int = -1) -> Any:
        content = self.taken[number].content
        assert isinstance(content, bytes)
        return message_from_bytes(content)

    def text(self, number: int = -1) -> str:
        return str(self.message(number).get_payload(decode=True), "utf-8")


@contextmanager
def smtp_server() -> Iterator[tuple[Letters, int]]:
    """Run a real SMTP server on loopback; give what it takes, and its port."""
    letters, port = Letters(), free_port()
    controller = Controller(letters, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield letters, port
    finally:
        controller.stop()


@contextmanager
def hanging_up() -> Iterator[tuple[list[int], int]]:
    """Run a server that ends each connection at once; give a 1 for each, and its port."""
    calls: list[int] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            calls.append(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield calls, server.server_address[1]
        server.shutdown()
