"""A client of the provider's API for tests, and the requests that tests send."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx

CHAT = "/v1/chat/completions"
CHAT_MODEL = "Qwen/Qwen3.5-9B"
EMBEDDING_MODEL = "Qwen/Qwen3-Embedding-8B"


def chat(prompt: str = "Hello there", **body: Any) -> dict[str, Any]:
    return {"model": CHAT_MODEL, "messages": [{"role": "user", "content": prompt}], **body}


def line(custom_id: str = "one", *, url: str = CHAT, method: str = "POST", **body: Any) -> str:
    body = body or chat()
    return json.dumps({"custom_id": custom_id, "method": method, "url": url, "body": body})


def lines(count: int) -> str:
    return "\n".join(line(f"row-{number}") for number in range(count))


def client(url: str, key: str = "") -> httpx.Client:
    """Return a client of the sandbox at ``url`` that waits for a busy machine."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False)


class Api:
    """Calls of the provider's API; ``pause`` lets time pass between two looks at a batch."""

    def __init__(
        self, http: httpx.Client, pause: Callable[[], None] = lambda: time.sleep(0.005)
    ) -> None:
        self.http = http
        self._pause = pause

    def upload(self, content: str | bytes, **fields: str) -> httpx.Response:
        raw = content.encode() if isinstance(content, str) else content
        return self.http.post("/v1/files", files={"file": ("in.jsonl", raw)}, data=fields)

    def file(self, content: str | bytes) -> str:
        response = self.upload(content)
        assert response.status_code == 201, response.text
        return response.json()["id"]

    def create(self, file_id: str, **changes: Any) -> httpx.Response:
        fields = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
        return self.http.post("/v1/batches", json=fields | changes)

    def batch(self, content: str | bytes, **changes: Any) -> dict[str, Any]:
        response = self.create(self.file(content), **changes)
        assert response.status_code == 201, response.text
        return response.json()

    def get(self, batch: dict[str, Any]) -> dict[str, Any]:
        response = self.http.get(f"/v1/batches/{batch['id']}")
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, batch: dict[str, Any], verb: str, **kwargs: Any) -> httpx.Response:
        return self.http.post(f"/v1/batches/{batch['id']}/{verb}", **kwargs)

    def wait(self, batch: dict[str, Any], status: str = "") -> dict[str, Any]:
        """Return the batch once it has ``status``, or any final status."""
        statuses = {status} if status else {"completed", "failed", "cancelled"}
        for _attempt in range(12_000):  # at least a minute by a real clock
            current = self.get(batch)
            if current["status"] in statuses:
                return current
            self._pause()
        raise AssertionError(f"still {current['status']}")

    def finished(self, content: str | bytes, **changes: Any) -> dict[str, Any]:
        return self.wait(self.batch(content, **changes))

    def content(self, file_id: str, **query: Any) -> httpx.Response:
        response = self.http.get(f"/v1/files/{file_id}/content", params=query)
        assert response.status_code == 200, response.text
        return response

    def rows(self, file_id: str, **query: Any) -> list[dict[str, Any]]:
        return [json.loads(row) for row in self.content(file_id, **query).text.splitlines()]

    def answers(self, *rows: str) -> list[dict[str, Any]]:
        """Return the response bodies of a batch of ``rows``, in the order of ``rows``."""
        batch = self.finished("\n".join(rows))
        results = {row["custom_id"]: row for row in self.rows(batch["output_file_id"])}
        return [results[json.loads(row)["custom_id"]]["response"]["body"] for row in rows]
