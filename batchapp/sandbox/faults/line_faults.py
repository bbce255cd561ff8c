"""Faults that change the lines of a downloaded file."""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from batchapp.sandbox.faults.switches import Rule


class LineFaults:
    """An ASGI ``send`` that changes a response line by line.

    Random faults depend on ``custom_id``, so that every download of a file changes the same lines.
    """

    def __init__(self, rules: Sequence[Rule], seed: int, scope: Scope, send: Send) -> None:
        self._rules = {rule.fault: rule for rule in rules}
        self._seed = seed
        self._skip = int(parse_qs(scope["query_string"].decode()).get("skip", ["0"])[0] or 0)
        self._send = send
        self._is_error = False
        self._incomplete_line = b""
        self._line_count = 0
        self._hidden_line = -1
        self._first_line = b""
        self._delayed_lines: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_error = not 200 <= message["status"] < 300
            if not self._is_error:
                self._change_headers(MutableHeaders(scope=message))
        elif not self._is_error:
            received = self._incomplete_line + message.get("body", b"")
            *lines, self._incomplete_line = received.split(b"\n")
            is_last = not message.get("more_body", False)
            body = b"".join(self._change_line(line + b"\n") for line in lines)
            message = {**message, "body": body + self._last_lines() if is_last else body}
        await self._send(message)

    def _change_headers(self, headers: MutableHeaders) -> None:
        del headers["Content-Length"]
        if "x-incomplete" in self._rules and "X-Incomplete" in headers:
            headers["X-Incomplete"] = "false" if headers["X-Incomplete"] == "true" else "true"
        last, is_incomplete = headers.get("X-Last-Line"), headers.get("X-Incomplete") == "true"
        if "swap" not in self._rules or last is None or not is_incomplete:
            return
        # The last line but one is missing. A reader who continues with ``skip`` receives the last
        # line twice, and the missing line only by reading the whole file again.
        count = int(last) - self._skip
        if count >= 2:
            self._hidden_line = count - 2
            headers["X-Last-Line"] = str(int(last) - 1)

    def _change_line(self, line: bytes) -> bytes:
        """Return the bytes to send for one line: none if the line is left out or sent later."""
        number, self._line_count = self._line_count, self._line_count + 1
        if number == self._hidden_line:
            return b""
        if number == 0:
            self._first_line = line
            line = self._change_first_line(line)
        custom_id = _custom_id(line)
        rules = self._rules
        if "missing" in rules and rules["missing"].selects_item(self._seed, custom_id):
            return b""
        if "repeat" in rules and rules["repeat"].selects_item(self._seed, custom_id):
            line += line
        if "shuffle" in rules:
            self._delayed_lines.append(line)
            return b""
        return line

    def _change_first_line(self, line: bytes) -> bytes:
        if "huge" in self._rules:
            padding = b"x" * int(self._rules["huge"].amount)
            line = b'{"padding":"%s",%s' % (padding, line[1:])
        if "invalid-utf8" in self._rules:
            head, separator, tail = line.rpartition(b'":"')
            line = head + separator + b"\xff\xfe" + tail
        return line[: len(line) // 2] + b"\n" if "torn" in self._rules else line

    def _last_lines(self) -> bytes:
        if "shuffle" in self._rules:
            seed_text = f"{self._skip} {self._line_count}"
            self._rules["shuffle"].random(self._seed, seed_text).shuffle(self._delayed_lines)
        lines = b"".join(self._delayed_lines)
        if "stranger" in self._rules and self._first_line:
            count = int(self._rules["stranger"].amount)
            lines += b"".join(self._unmatched_line(number) for number in range(1, count + 1))
        return lines + self._incomplete_line

    def _unmatched_line(self, number: int) -> bytes:
        line = msgspec.json.decode(self._first_line)
        line |= {"id": f"batch_req_{number:032x}", "custom_id": f"stranger-{number}"}
        return msgspec.json.encode(line) + b"\n"


def _custom_id(line: bytes) -> str:
    """Return the ``custom_id`` of a line, still encoded as JSON."""
    return line.partition(b'"custom_id":')[2].partition(b',"')[0].decode(errors="replace")
