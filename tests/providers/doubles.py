"""Providers for httpx.MockTransport; each is a callable."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderError

KEY = "sk-secret-0123456789"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Recorder:
    """A provider that always gives the same answer, and records the requests."""

    def __init__(self, status: int = 200, **answer) -> None:
        self.status, self.answer, self.requests = status, answer, []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        return httpx.Response(self.status, **self.answer)

    @property
    def request_lines(self) -> list[str]:
        return [f"{r.method} {r.url.raw_path.decode()}" for r in self.requests]


def batch(number: int, *, age: timedelta = timedelta(0), **fields) -> dict:
    created_at = int((NOW - age).timestamp())
    return {"id": f"b{number}", "status": "in_progress", "created_at": created_at} | fields


class Listing:
    """A provider that pages through rows, newest first, as Doubleword does."""

    def __init__(self, rows: list[dict], *, size: int = 2, obeys_cursor: bool = True) -> None:
        self.rows, self.size, self.obeys_cursor, self.queries = rows, size, obeys_cursor, []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        ids = [row["id"] for row in self.rows]
        if (row_id := request.url.path.rpartition("/")[2]) in ids:
            return httpx.Response(200, json=self.rows[ids.index(row_id)])
        self.queries.append(dict(request.url.params))
        after = request.url.params.get("after") if self.obeys_cursor else None
        start = ids.index(after) + 1 if after in ids else 0
        data = self.rows[start : start + self.size]
        more = start + self.size < len(self.rows)
        body = {"object": "list", "data": data, "has_more": more}
        return httpx.Response(200, json=body | ({"last_id": data[-1]["id"]} if data else {}))


def failure(client: Provider) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        client.create_batch("f", endpoint="/v1/chat/completions", window="24h", metadata={})
    return caught.value
