"""A provider of OpenAI's batch API on loopback that differs from OpenAI as real ones do.

It speaks HTTP, so that a test goes through sockets, headers and the real client. Each test changes
only what it is about: how a call is refused, how a batch looks, how it ends, or its result lines.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, object]  # HTTP status and JSON
Line = dict[str, Any]


def answered(request: Line, text: str = "", **usage: int) -> Line:
    """Return the result line of OpenAI for one request."""
    body = {
        "object": "chat.completion",
        "model": request["body"]["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text or "Done."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25} | usage,
    }
    response = {"status_code": 200, "request_id": uuid.uuid4().hex, "body": body}
    return {
        "id": f"batch_req_{uuid.uuid4().hex}",
        "custom_id": request["custom_id"],
        "response": response,
        "error": None,
    }


def failed(**reasons: object) -> dict[str, Any]:
    """Return the fields of a batch that failed as a whole, with ``reasons``."""
    counts = {"total": 0, "completed": 0, "failed": 0}
    return {"status": "failed", "failed_at": int(time.time()), "request_counts": counts} | reasons


@dataclass
class OddProvider:
    """Files and batches by id; the calls that were made; and what differs from OpenAI.

    Attributes:
        path: of the API, below which it answers.
        refuse: returns the answer to a call instead of carrying it out, or None.
        show: changes a batch as it is shown.
        end: returns other fields of a batch at its end, by its requests; None: it completes.
        line: returns the result line of a request.
        encode: turns all result lines into the bytes of a file.
        file_id, batch_id: make the ids.
        has_idempotency: a create with an Idempotency-Key that was used returns its batch.
        after: runs after a call was carried out, and may return another answer.
    """

    url: str = ""
    path: str = "/v1"
    calls: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse: Callable[[str], Answer | None] = lambda call: None
    after: Callable[[str], Answer | None] = lambda call: None
    show: Callable[[dict[str, Any]], dict[str, Any]] = lambda batch: batch
    end: Callable[[list[Line]], dict[str, Any] | None] = lambda requests: None
    line: Callable[[Line], Line] = answered
    encode: Callable[[list[Line]], bytes] = lambda lines: b"".join(
        json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines
    )
    file_id: Callable[[], str] = lambda: f"file-{uuid.uuid4().hex}"
    batch_id: Callable[[], str] = lambda: f"batch_{uuid.uuid4().hex}"
    has_idempotency: bool = False
    runs_on: bool = False  # batches do not end by themselves
    _by_key: dict[str, str] = field(default_factory=dict)

    def count(self, call: str) -> int:
        return self.calls.count(call)

    def requests_of(self, batch: dict[str, Any]) -> list[Line]:
        lines = self.files[batch["input_file_id"]].decode().splitlines()
        return [json.loads(line) for line in lines]

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, object]:
        """Carry out one call, and return its status and its JSON, or bytes of a file."""
        if not path.startswith(self.path + "/"):
            return 404, {"error": {"message": f"Unknown request URL: {method} {path}."}}
        names = path.removeprefix(self.path + "/").split("/")
        call = " ".join([method, *names[:1], *(["ID"] if names[1:] else []), *names[2:]])
        self.calls.append(call)
        if answer := self.refuse(call):
            return answer
        status, content = self._act(call, names, headers, body)
        return self.after(call) or (status, content)

    def _act(self, call: str, names: list[str], headers: Any, body: bytes) -> tuple[int, object]:
        named = names[1] if names[1:] else ""
        match call:
            case "GET models":
                return 200, {"object": "list", "data": [{"id": "m-1"}, {"id": "m-2"}]}
            case "POST files":
                return 200, self._file(self._store(*_attached(body)))
            case "GET files":
                return 200, {"object": "list", "data": [*map(self._file, self.names)]}
            case "GET files ID" if named in self.files:
                return 200, self._file(named)
            case "GET files ID content" if named in self.files:
                return 200, self.files[named]
            case "POST batches":
                return 200, self.show(self._create(json.loads(body), headers))
            case "GET batches":
                rows = [self._step(batch) for batch in reversed(self.batches.values())]
                return 200, {"object": "list", "data": [*map(self.show, rows)], "has_more": False}
            case "GET batches ID" if named in self.batches:
                return 200, self.show(self._step(self.batches[named]))
            case "POST batches ID cancel" if named in self.batches:
                self._end(self.batches[named], "cancelled", answers=1)
                return 200, self.show(self.batches[named])
        what = "batch" if names[0] == "batches" else "file"
        error = {"message": f"No {what} found with id '{named}'.", "code": None}
        return 404, {"error": error}

    def _store(self, content: bytes, name: str = "") -> str:
        file_id = self.file_id()
        self.files[file_id] = content
        if name:
            self.names[file_id] = name
        return file_id

    def _file(self, file_id: str) -> dict[str, Any]:
        size, name = len(self.files[file_id]), self.names.get(file_id, "output.jsonl")
        return {"id": file_id, "object": "file", "bytes": size, "filename": name}

    def _create(self, fields: dict[str, Any], headers: Any) -> dict[str, Any]:
        key = headers.get("Idempotency-Key") if self.has_idempotency else None
        if key and key in self._by_key:
            return self.batches[self._by_key[key]]
        batch = {
            "id": self.batch_id(),
            "object": "batch",
            "status": "validating",
            "created_at": int(time.time()),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            **fields,
        }
        self.batches[batch["id"]] = batch
        if key:
            self._by_key[key] = batch["id"]
        return batch

    def _step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Let a new batch run, and a running one end."""
        if batch["status"] == "validating":
            batch["status"] = "in_progress"
            batch["request_counts"]["total"] = len(self.requests_of(batch))
        elif batch["status"] == "in_progress" and not self.runs_on:
            if (fields := self.end(self.requests_of(batch))) is not None:
                batch |= fields
            else:
                self._end(batch, "completed")
        return batch

    def _end(self, batch: dict[str, Any], status: str, answers: int | None = None) -> None:
        requests = self.requests_of(batch)
        lines = [self.line(request) for request in requests[:answers]]
        batch["output_file_id"] = self._store(self.encode(lines))
        batch["request_counts"] |= {"total": len(requests), "completed": len(lines)}
        batch |= {"status": status, f"{status}_at": int(time.time())}


def _attached(body: bytes) -> tuple[bytes, str]:
    """Return the file of a multipart form, and its name."""
    named = re.search(rb'filename="([^"]*)"', body)
    assert named
    start = body.index(b"\r\n\r\n", named.start()) + 4
    return body[start : body.rindex(b"\r\n--")], named[1].decode()


@contextmanager
def odd_provider() -> Iterator[OddProvider]:
    """Run a provider in a thread; its ``url`` is the address without the path of the API."""
    provider = OddProvider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            status, content = provider.answer(self.command, path, self.headers, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            kind = "octet-stream" if isinstance(content, bytes) else "json"
            self.send_header("Content-Type", f"application/{kind}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815  # http.server names them

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        provider.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
