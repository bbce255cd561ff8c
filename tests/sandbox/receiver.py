"""An HTTP server that receives webhooks."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

HOOKS = "/admin/api/v1/users/current/webhooks"


class Receiver:
    """The received webhooks; ``statuses`` are the next response statuses, then 200."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.deliveries: list[tuple[dict[str, str], bytes]] = []

    def wait(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 120
        while len(self.deliveries) < count:
            assert time.monotonic() < deadline, f"{len(self.deliveries)} of {count}"
            time.sleep(0.01)
        return [json.loads(body) for _headers, body in self.deliveries]

    def batch_ids(self, count: int) -> list[str]:
        return [event["data"]["batch_id"].removeprefix("batch_") for event in self.wait(count)]


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.statuses.pop(0) if receiver.statuses else 200
            receiver.deliveries.append((headers, body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}/hook")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def register(admin: httpx.Client, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    response = admin.post(HOOKS, json={"url": receiver.url} | changes)
    assert response.status_code == 201, response.text
    return response.json()
