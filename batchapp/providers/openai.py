"""The plain batch API of OpenAI, one method for each call; no call is repeated here.

Nothing is assumed that OpenAI's API does not promise, so that servers of the same API can be used
whose kind is not known. Every method may raise ``ProviderUnavailable`` or ``ProviderRejected``.

Source: https://platform.openai.com/docs/api-reference/batch
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from urllib.parse import quote

from batchapp.domain.model_cards import ModelCard
from batchapp.providers import json_values, remote_models, responses
from batchapp.providers.base import Capabilities
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.http import PAGE_SIZE, Exchange
from batchapp.providers.remote_objects import Analytics, Page, RemoteBatch, RemoteFile
from batchapp.providers.result_stream import Content
from batchapp.providers.upload_stream import Sendable, Upload

CLOCK_MARGIN = timedelta(hours=1)  # allowed between the provider's clock and ours in a search


CAPABILITIES = Capabilities(
    webhooks=True,  # Source: https://platform.openai.com/docs/guides/webhooks
    endpoints=(
        *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"),
        "/v1/moderations",
    ),
)


class OpenAIProvider:
    """The calls of the contract ``base.Provider``."""

    _model_query: ClassVar[dict[str, str]] = {}

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def address(self) -> str:
        """Return the address below which the API is asked."""
        return self._exchange.address

    @property
    def is_sandbox(self) -> bool | None:
        """Return True if the last answer came from the local sandbox; None before any answer."""
        return self._exchange.is_sandbox

    def list_models(self) -> list[str]:
        """Return the model names that a request may use, as the provider spells them."""
        return self._exchange.request("listing the models", "GET", "models", _model_names)

    def describe_models(self) -> list[ModelCard]:
        """Return the models that a request may use, with what the list tells of each."""
        action, path, query = "listing the models", "models", self._model_query
        return self._exchange.request(action, "GET", path, remote_models.read_cards, params=query)

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
            "files",
            RemoteFile.from_json,
            data={"purpose": "batch"},
            files={"file": (name, Upload(content, on_progress), "application/jsonl")},
        )

    def find_files(self, name: str) -> list[RemoteFile]:
        """Return the uploaded files with exactly this name, the oldest first."""
        files: list[RemoteFile] = []
        query = {"purpose": "batch", "limit": str(PAGE_SIZE)} | self._search(name)
        read = RemoteFile.from_json
        for page in self._exchange.pages("looking for the file", "files", read, query):
            files += [file for file in page.data if file.name == name]
        return sorted(files, key=_age)

    def list_files(self, *, limit: int = PAGE_SIZE) -> Page[RemoteFile]:
        """Return the newest input files, without result files."""
        query = {"purpose": "batch", "limit": str(limit)}
        return self._exchange.page("listing the files", "files", RemoteFile.from_json, query)

    def retrieve_file(self, file_id: str) -> RemoteFile:
        """Return the description of a file, without its content."""
        path = f"files/{quoted(file_id)}"
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
            "batches",
            RemoteBatch.from_json,
            is_create=True,
            json=body,
        )

    def find_batches(self, key: str, value: str, *, since: datetime) -> list[RemoteBatch]:
        """Return the batches since ``since`` with ``metadata[key] == value``, the oldest first.

        A batch just created may be missing for some seconds. Without a search, all pages are read,
        newest first, back to an hour before ``since``.

        Raises:
            ProviderUnavailable: also if the pages repeat or cannot be read, because a batch that
                was not listed may exist all the same.
        """
        action = "looking for the batch"
        batches: list[RemoteBatch] = []
        query = {"limit": str(PAGE_SIZE)} | self._search(value)
        for page in self._exchange.pages(action, "batches", RemoteBatch.from_json, query):
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
        path = f"batches/{quoted(batch_id)}"
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
        """Return one page of the batches; unreadable rows are left out.

        Pages shift while batches begin: a loop over pages needs its own limit.
        """
        query = {"limit": str(limit)}
        query |= self._filters(
            active_first=active_first, search=search, created_after=created_after
        )
        if after:
            query["after"] = after
        action, path = "listing the batches", "batches"
        return self._exchange.request(action, "GET", path, _readable_batches, params=query)

    def _search(self, text: str) -> dict[str, str]:
        """Return the parameter that narrows a list, which this API does not have."""
        return {}

    def _filters(
        self, *, active_first: bool, search: str | None, created_after: datetime | None
    ) -> dict[str, str]:
        """Return the parameters that order and narrow a list, which this API does not have."""
        return {}

    def cancel_batch(self, batch_id: str) -> RemoteBatch:
        """Cancel a batch. Its results stay; requests in progress may still end and be billed.

        Doubleword also changes the status of a batch that is over: call ``retrieve_batch`` first.
        """
        path = f"batches/{quoted(batch_id)}/cancel"
        return self._exchange.request("cancelling the batch", "POST", path, RemoteBatch.from_json)

    def retry_batch(self, batch_id: str) -> RemoteBatch:
        """Run a batch's failed and cancelled requests again, in place and in its old window.

        Not of OpenAI, but of servers that add it. A batch that was over runs again, and its error
        file is emptied. The call is rejected (INVALID) if there is nothing to retry.
        """
        path = f"batches/{quoted(batch_id)}/retry"
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
        path = f"files/{quoted(file_id)}/content"
        query = {"skip": str(skip)} if skip > 0 else {}
        with self._exchange.open(action, "GET", path, is_streamed=True, params=query) as response:
            yield Content(response, action, on_progress)

    def analytics(self, batch_id: str) -> Analytics:
        """Return the usage and cost of a batch. Not of OpenAI, but of servers that add it."""
        path = f"batches/{quoted(batch_id)}/analytics"
        return self._exchange.request("asking for the cost", "GET", path, Analytics.from_json)

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


def _age(row: RemoteFile | RemoteBatch) -> tuple[datetime, str]:
    """Return a sort key: the oldest first, and rows of unknown age last."""
    return (row.created_at or datetime.max.replace(tzinfo=UTC), row.id)


def quoted(identifier: str) -> str:
    """Return any id as one segment of a path."""
    if not identifier.strip(" ."):  # "" and ".." would make another path
        raise ValueError(f"no id: {identifier!r}")
    return quote(identifier, safe="")
