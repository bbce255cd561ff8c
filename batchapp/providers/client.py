"""The calls to a provider, one method each; no call is repeated here.

The client is written for Doubleword's control layer, whose batch API follows OpenAI's; each method
names the differences. Every method may raise ``ProviderUnavailable`` or ``ProviderRejected``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Self
from urllib.parse import quote

import httpx

from batchapp.domain.model_cards import ModelCard
from batchapp.providers import json_values, remote_models, responses, tariffs
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.http import PAGE_SIZE, Exchange, open_http
from batchapp.providers.remote_objects import Analytics, Page, RemoteBatch, RemoteFile
from batchapp.providers.result_stream import Content
from batchapp.providers.upload_stream import Sendable, Upload

CLOCK_MARGIN = timedelta(hours=1)  # allowed between the provider's clock and ours in a search


def connect(
    base_url: str,
    key: str,
    *,
    timeout_seconds: float = 60,
    session_seconds: float | None = None,
    transport: httpx.BaseTransport | None = None,
) -> "ProviderClient":
    """Return a client for one provider. Nothing is sent yet.

    Args:
        base_url: with or without ``/v1`` or ``/`` at its end.
        key: sent to that host only; no error, log or ``repr`` contains the key.
        timeout_seconds: of one call in total, to the last byte of its answer; five times as long
            for a create, for all pages of a list, and for the answer to an upload. A file that is
            sent or read may take longer, at a minimum rate.
        session_seconds: of all calls together from now on, for a person who waits.
        transport: for tests.

    Raises:
        ProviderRejected: an HTTP header cannot carry the key.
        ProviderUnavailable: ``base_url`` is no plain http(s) address.
    """
    http = open_http(base_url, key, transport)
    return ProviderClient(Exchange(http, timeout_seconds, session_seconds))


class ProviderClient:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def is_sandbox(self) -> bool | None:
        """Return True if the last answer came from the local sandbox; None before any answer."""
        return self._exchange.is_sandbox

    def list_models(self) -> list[str]:
        """Return the model names that a request may use, as the provider spells them."""
        return self._exchange.request("listing the models", "GET", "/v1/models", _model_names)

    def describe_models(self) -> list[ModelCard]:
        """Return the models that a request may use, with what the list tells of each."""
        action, path = "listing the models", "/v1/models"
        query = {"include_reasoning_capabilities": "true"}
        return self._exchange.request(action, "GET", path, remote_models.read_cards, params=query)

    def describe_managed_models(self) -> list[ModelCard]:
        """Return every model with what the management API tells of it. Doubleword only.

        The client needs a platform key, and the address that ``management_url`` returns.
        """
        action, include = "listing the models", "reasoning_capabilities"
        return tariffs.fetch_models(
            self._exchange, action, include, remote_models.read_managed_page
        )

    def list_tariffs(self) -> list[tariffs.ModelTariffs]:
        """Return every model with its current prices. Doubleword only.

        The client needs a platform key, and the address that ``management_url`` returns.

        Raises:
            ProviderUnavailable: also if the pages end before all models were listed.
        """
        return tariffs.fetch_tariffs(self._exchange)

    def upload_file(
        self, content: Sendable, *, name: str, on_progress: Callable[[int], None] | None = None
    ) -> RemoteFile:
        """Upload a JSONL file from its first byte, in small pieces.

        Doubleword checks every line before it answers, and stores all lines or none. Its error
        names the first bad line, counted without blank lines.

        Args:
            content: seekable, because its length is sent first.
            name: for ``find_files``; the provider accepts several files of the same name.
            on_progress: called with the number of bytes sent so far.
        """
        return self._exchange.request(
            "uploading the file",
            "POST",
            "/v1/files",
            RemoteFile.from_json,
            data={"purpose": "batch"},
            files={"file": (name, Upload(content, on_progress), "application/jsonl")},
        )

    def find_files(self, name: str) -> list[RemoteFile]:
        """Return the uploaded files with exactly this name, the oldest first."""
        files: list[RemoteFile] = []
        query = {"purpose": "batch", "search": name, "limit": str(PAGE_SIZE)}
        read = RemoteFile.from_json
        for page in self._exchange.pages("looking for the file", "/v1/files", read, query):
            files += [file for file in page.data if file.name == name]
        return sorted(files, key=_age)

    def list_files(self, *, limit: int = PAGE_SIZE) -> Page[RemoteFile]:
        """Return the newest input files, without result files."""
        query = {"purpose": "batch", "limit": str(limit)}
        return self._exchange.page("listing the files", "/v1/files", RemoteFile.from_json, query)

    def retrieve_file(self, file_id: str) -> RemoteFile:
        """Return the description of a file, without its content."""
        path = f"/v1/files/{_quoted(file_id)}"
        return self._exchange.request("asking for the file", "GET", path, RemoteFile.from_json)

    def create_batch(
        self, file_id: str, *, endpoint: str, window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        """Start a batch: the only call that spends money and must not be made twice.

        There is no idempotency key. Put a token into ``metadata``, and after a
        ``ProviderUnavailable`` with ``maybe_done``, search for the token with ``find_batches``.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": endpoint,
            "completion_window": window,
            "metadata": dict(metadata),
        }
        return self._exchange.request(
            "creating the batch",
            "POST",
            "/v1/batches",
            RemoteBatch.from_json,
            is_slow=True,
            json=body,
        )

    def find_batches(self, key: str, value: str, *, since: datetime) -> list[RemoteBatch]:
        """Return the batches since ``since`` with ``metadata[key] == value``, the oldest first.

        Lists come from a replica: a batch just created may be missing for some seconds. If the
        provider does not know ``search``, all its pages are read, newest first, back to an hour
        before ``since``.

        Raises:
            ProviderUnavailable: also if the pages repeat or cannot be read, because a batch that
                was not listed may exist all the same.
        """
        action = "looking for the batch"
        batches: list[RemoteBatch] = []
        query = {"search": value, "limit": str(PAGE_SIZE)}
        for page in self._exchange.pages(action, "/v1/batches", RemoteBatch.from_json, query):
            if not page.has_known_end:
                raise responses.malformed(action, "a list of batches without a readable end")
            for listed in page.data:
                is_old = listed.created_at and listed.created_at < since - CLOCK_MARGIN
                is_enough = listed.metadata or is_old
                batch = listed if is_enough else self._retrieve_listed(listed.id, action)
                batches += [batch] if batch.metadata.get(key) == value else []
            oldest = page.data[-1].created_at if page.data else None
            if not page.has_more or (oldest and oldest < since - CLOCK_MARGIN):
                return sorted(batches, key=_age)
        raise responses.malformed(action, "a list of batches whose pages repeat")

    def _retrieve_listed(self, batch_id: str, action: str) -> RemoteBatch:
        """Return a batch that a list shows without metadata, with its metadata.

        Some providers leave out metadata that is empty, but a damaged answer lacks it as well.
        """
        try:
            batch = self.retrieve_batch(batch_id)
        except ProviderRejected as exc:
            if exc.reason not in {Reason.NOT_FOUND, Reason.GONE}:
                raise
            problem = "a batch that it does not know by itself"
            raise responses.malformed(action, problem) from exc
        if batch.has_unreadable_metadata:
            raise responses.malformed(action, "a batch whose metadata cannot be read")
        return batch

    def retrieve_batch(self, batch_id: str) -> RemoteBatch:
        """Return a batch in its current state.

        On Doubleword this call also stores the final state; lists may show ``finalizing`` for some
        seconds longer.
        """
        path = f"/v1/batches/{_quoted(batch_id)}"
        return self._exchange.request("asking for the batch", "GET", path, RemoteBatch.from_json)

    def list_batches(
        self,
        *,
        active_first: bool = False,
        limit: int = PAGE_SIZE,
        after: str | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
    ) -> Page[RemoteBatch]:
        """Return one page, newest batches first; ``active_first`` puts unfinished batches before.

        ``search`` matches parts of metadata, file name or id, with ``%`` and ``_`` as wildcards.
        Doubleword answers an unknown ``after`` with the first page again, and pages shift when a
        batch finishes: a loop over pages needs its own limit. Unreadable rows are left out.
        """
        query = {"limit": str(limit)}
        if active_first:
            query["active_first"] = "true"
        if after:
            query["after"] = after
        if search:
            query["search"] = search
        if created_after:
            query["created_after"] = created_after.astimezone(UTC).isoformat()
        action, path = "listing the batches", "/v1/batches"
        return self._exchange.request(action, "GET", path, _readable_batches, params=query)

    def cancel_batch(self, batch_id: str) -> RemoteBatch:
        """Cancel a batch. Its results stay; requests in progress may still end and be billed.

        Doubleword also changes the status of a batch that is over: call ``retrieve_batch`` first.
        """
        path = f"/v1/batches/{_quoted(batch_id)}/cancel"
        return self._exchange.request("cancelling the batch", "POST", path, RemoteBatch.from_json)

    def retry_batch(self, batch_id: str) -> RemoteBatch:
        """Run a batch's failed and cancelled requests again, in place and in its old window.

        Doubleword only. A batch that was over runs again, and its error file is emptied. The call
        is rejected (INVALID) if there is nothing to retry.
        """
        path = f"/v1/batches/{_quoted(batch_id)}/retry"
        return self._exchange.request("retrying the batch", "POST", path, RemoteBatch.from_json)

    @contextmanager
    def open_content(
        self, file_id: str, *, skip: int = 0, on_progress: Callable[[int], None] | None = None
    ) -> Iterator[Content]:
        """Open a file's lines for reading, without the first ``skip`` lines.

        The result file of a running batch has the results so far, in the order of completion. A
        resumed read may miss or repeat a line, so de-duplicate by ``id``, and compare with the
        counts once the batch is over. ``on_progress`` gets the number of bytes received so far.

        Source: Doubleword's parameter is ``skip``; ``offset`` of its older guides is ignored.
        """
        action = "reading the results"
        path = f"/v1/files/{_quoted(file_id)}/content"
        query = {"skip": str(skip)} if skip > 0 else {}
        with self._exchange.open(action, "GET", path, is_streamed=True, params=query) as response:
            yield Content(response, action, on_progress)

    def analytics(self, batch_id: str) -> Analytics:
        """Return the usage and cost of a batch. Doubleword only."""
        path = f"/v1/batches/{_quoted(batch_id)}/analytics"
        return self._exchange.request("asking for the cost", "GET", path, Analytics.from_json)

    def balance(self) -> Decimal | None:
        """Return the account's credit in USD, which may be negative; None if the answer has none.

        Doubleword only, and only with a platform key.
        """
        action, path = "asking for the balance", "/admin/api/v1/users/current"
        return self._exchange.request(action, "GET", path, _balance, params={"include": "billing"})

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _readable_batches(value: object) -> Page[RemoteBatch]:
    page = Page.from_json(value, _batch_or_none)
    return Page(tuple(filter(None, page.data)), page.has_more, page.last_id, page.has_known_end)


def _batch_or_none(value: object) -> RemoteBatch | None:
    try:
        return RemoteBatch.from_json(value)
    except json_values.MalformedError:
        return None


def _model_names(value: object) -> list[str]:
    _, rows = json_values.listing(value, "a list of models")
    names = (json_values.text(row.get("id")) for row in rows if isinstance(row, dict))
    return [name for name in names if name]


def _balance(value: object) -> Decimal | None:
    entry = json_values.mapping(value, "an account")
    return json_values.decimal(entry.get("credit_balance"))


def _age(row: RemoteFile | RemoteBatch) -> tuple[datetime, str]:
    """Return a sort key: the oldest first, and rows of unknown age last."""
    return (row.created_at or datetime.max.replace(tzinfo=UTC), row.id)


def _quoted(identifier: str) -> str:
    """Return any id as one segment of a path."""
    if not identifier.strip(" ."):  # "" and ".." would make another path
        raise ValueError(f"no id: {identifier!r}")
    return quote(identifier, safe="")
