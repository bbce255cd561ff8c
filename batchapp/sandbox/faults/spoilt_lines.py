"""Result lines that are missing, too many, out of order, or no lines at all."""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Scope, Send

from batchapp.sandbox.faults.switches import Rule


class SpoiltLines:
    """Passes an answer on, line by line.

    Chance falls by ``custom_id``, so the same lines are hit each time a file is read.
    """

    def __init__(self, rules: Sequence[Rule], seed: int, scope: Scope, send: Send) -> None:
        self._rules = {rule.fault: rule for rule in rules}
        self._seed = seed
        self._skip = int(parse_qs(scope["query_string"].decode()).get("skip", ["0"])[0] or 0)
        self._send = send
        self._is_passed = False
        self._rest = b""
        self._number = 0
        self._hidden = -1
        self._first = b""
        self._kept: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_passed = not 200 <= message["status"] < 300
            if not self._is_passed:
                self._change_headers(MutableHeaders(scope=message))
        elif not self._is_passed:
            *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
            is_last = not message.get("more_body", False)
            body = b"".join(self._spoilt(line + b"\n") for line in lines)
            message = {**message, "body": body + self._ending() if is_last else body}
        await self._send(message)

    def _change_headers(self, headers: MutableHeaders) -> None:
        del headers["Content-Length"]
        if "x-incomplete" in self._rules and "X-Incomplete" in headers:
            headers["X-Incomplete"] = "false" if headers["X-Incomplete"] == "true" else "true"
        last, is_incomplete = headers.get("X-Last-Line"), headers.get("X-Incomplete") == "true"
        if "swap" not in self._rules or last is None or not is_incomplete:
            return
        # The line before the last is not there yet: whoever goes on reads the last one twice,
        # and this one only when everything is read again.
        count = int(last) - self._skip
        if count >= 2:
            self._hidden = count - 2
            headers["X-Last-Line"] = str(int(last) - 1)

    def _spoilt(self, line: bytes) -> bytes:
        """What is sent for one line; nothing if it is left out or kept for later."""
        number, self._number = self._number, self._number + 1
        if number == self._hidden:
            return b""
        if number == 0:
            self._first = line
            line = self._spoilt_first(line)
        custom_id = _custom_id(line)
        rules = self._rules
        if "missing" in rules and rules["missing"].hits(self._seed, custom_id):
            return b""
        if "repeat" in rules and rules["repeat"].hits(self._seed, custom_id):
            line += line
        if "shuffle" in rules:
            self._kept.append(line)
            return b""
        return line

    def _spoilt_first(self, line: bytes) -> bytes:
        if "huge" in self._rules:
            padding = b"x" * int(self._rules["huge"].amount)
            line = b'{"padding":"%s",%s' % (padding, line[1:])
        if "invalid-utf8" in self._rules:
            head, mark, tail = line.rpartition(b'":"')
            line = head + mark + b"\xff\xfe" + tail
        return line[: len(line) // 2] + b"\n" if "torn" in self._rules else line

    def _ending(self) -> bytes:
        if "shuffle" in self._rules and self._kept:
            dice = self._rules["shuffle"].dice(self._seed, f"{self._skip} {self._number}")
            for last in range(len(self._kept) - 1, 0, -1):
                other = dice.below(last + 1)
                self._kept[last], self._kept[other] = self._kept[other], self._kept[last]
        lines = b"".join(self._kept)
        if "stranger" in self._rules and self._first:
            count = int(self._rules["stranger"].amount)
            lines += b"".join(self._stranger(number) for number in range(1, count + 1))
        return lines + self._rest

    def _stranger(self, number: int) -> bytes:
        line = msgspec.json.decode(self._first)
        line |= {"id": f"batch_req_{number:032x}", "custom_id": f"stranger-{number}"}
        return msgspec.json.encode(line) + b"\n"


def _custom_id(line: bytes) -> str:
    """The line's ``custom_id`` as it is written; the sandbox puts it behind the id."""
    return line.partition(b'"custom_id":')[2].partition(b',"')[0].decode(errors="replace")
