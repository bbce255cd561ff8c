"""A provider in memory for unit tests, behind the mock transport of httpx.

The sandbox is more faithful; this provider can fail before or after any single call.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from batchapp.providers import base
from tests.doubleword import connect, connect_management

Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class Provider:
    """Files and batches by id, with two hooks that may raise or return another response.

    ``before`` runs before a request is carried out, ``after`` when it has been committed.
    """

    files: dict[str, str] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, list[bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    before: Callable[[str, httpx.Request], httpx.Response | None] = lambda call, request: None
    after: Callable[[str, httpx.Request], httpx.Response | None] = lambda call, request: None

    def client(self, *_: object, **__: object) -> base.Provider:
        return connect("https://provider.test", "sk-test", transport=httpx.MockTransport(self))

    def management(self) -> base.Management:
        transport = httpx.MockTransport(self)
        client = connect_management("https://provider.test", "dw-test", transport=transport)
        assert client
        return client

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        call = f"{request.method} {re.sub(r'[0-9a-f-]{36}', 'ID', request.url.path)}"
        self.calls.append(call)
        if answer := self.before(call, request):
            return answer
        answer = self._act(call, request)
        return self.after(call, request) or answer

    def finish(
        self, output: list[bytes], errors: Sequence[bytes] = (), status: str = "completed"
    ) -> None:
        """Let the only batch end with these result lines."""
        (batch,) = self.batches.values()
        self.contents[batch["output_file_id"]] = output
        self.contents[batch["error_file_id"]] = list(errors)
        batch["status"] = status
        batch["request_counts"] |= {"completed": len(output), "failed": len(errors)}

    def run(self, content: bytes, name: str = "elsewhere.jsonl", **batch: Any) -> str:
        """Run a file of ``content`` as another program would; return the id of the batch."""
        file_id = str(uuid.uuid4())
        lines = content.splitlines()
        self.files[file_id], self.contents[file_id] = name, lines
        self.sizes[file_id] = len(content)
        batch_fields = {"input_file_id": file_id, "completion_window": "24h", "metadata": {}}
        batch_fields |= {"endpoint": "/v1/chat/completions", "created_at": int(time.time()) - 3600}
        counts = {"total": len(lines), "completed": 0, "failed": 0}
        return str(self._create(batch_fields | {"request_counts": counts} | batch).json()["id"])

    def _act(self, call: str, request: httpx.Request) -> httpx.Response:
        named = request.url.path.split("/")[3:]
        match call:
            case "POST /v1/files":
                name = re.search(rb'filename="([^"]+)"', request.content)
                assert name
                file_id = str(uuid.uuid4())
                self.files[file_id] = name[1].decode()
                self.sent[file_id] = _attached(request)
                return httpx.Response(201, json=self._file(file_id))
            case "GET /v1/files/ID" if named[0] in self.files:
                return httpx.Response(200, json=self._file(named[0]))
            case "GET /v1/files":
                files = [self._file(file_id) for file_id in self.files]
                return httpx.Response(200, json={"data": files, "has_more": False})
            case "POST /v1/batches":
                return self._create(json.loads(request.content))
            case "GET /v1/batches":
                return httpx.Response(200, json=self._page(request.url.params))
            case "GET /v1/batches/ID" if named[0] in self.batches:
                return httpx.Response(200, json=self.batches[named[0]])
            case "POST /v1/batches/ID/cancel":
                self.batches[named[0]]["status"] = "cancelled"
                return httpx.Response(200, json=self.batches[named[0]])
            case "POST /v1/batches/ID/retry":
                return self._retry(self.batches[named[0]])
            case "GET /v1/files/ID/content":
                lines = self.contents.get(named[0], [])[int(request.url.params.get("skip", 0)) :]
                return httpx.Response(200, content=b"".join(line + b"\n" for line in lines))
        return httpx.Response(404, text="Not found")

    def _file(self, file_id: str) -> dict[str, Any]:
        name, size = self.files[file_id], self.sizes.get(file_id, 0)
        return {"id": file_id, "filename": name, "bytes": size, "purpose": "batch"}

    def _page(self, params: httpx.QueryParams) -> dict[str, Any]:
        """Newest first, with ``active_first`` the unfinished ones before; ``after`` an id."""
        rows = [row for key, row in self.batches.items() if key not in self.hidden][::-1]
        if params.get("active_first"):
            rows.sort(key=lambda row: row["status"] not in {"in_progress", "validating"})
        ids = [row["id"] for row in rows]
        start = ids.index(params["after"]) + 1 if params.get("after") in ids else 0
        end = start + int(params.get("limit", 20))
        return {"data": rows[start:end], "has_more": end < len(rows)}

    def _retry(self, batch: dict[str, Any]) -> httpx.Response:
        """Failed and cancelled requests run again; the error file is empty from then on."""
        if batch["status"] != "cancelled" and not batch["request_counts"]["failed"]:
            return httpx.Response(400, text="Nothing to retry: no failed or canceled requests")
        batch["status"] = "in_progress"
        batch["request_counts"] |= {"failed": 0}
        self.contents[batch["error_file_id"]] = []
        return httpx.Response(200, json=batch)

    def _create(self, fields: dict[str, Any]) -> httpx.Response:
        batch_id = str(uuid.uuid4())
        self.batches[batch_id] = {
            "id": batch_id,
            "status": "in_progress",
            "output_file_id": str(uuid.uuid4()),
            "error_file_id": str(uuid.uuid4()),
            "created_at": 4_000_000_000 + len(self.batches),
            "request_counts": {"total": 3, "completed": 0, "failed": 0},
            **fields,
        }
        return httpx.Response(201, json=self.batches[batch_id])


def lose_reply(lost_call: str) -> Callable[[str, httpx.Request], None]:
    """Return a hook that loses the reply to ``lost_call``."""

    def lose(call: str, request: httpx.Request) -> None:
        if call == lost_call:
            raise httpx.ReadTimeout("no reply", request=request)

    return lose


def _attached(request: httpx.Request) -> bytes:
    """The bytes of the only file in a multipart body."""
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    after_name = request.content.partition(b'filename="')[2]
    return after_name.partition(b"\r\n\r\n")[2].partition(b"\r\n--" + boundary)[0]
