"""The calls to a provider, one method each; none of them is ever repeated here.

Written for Doubleword's control layer, whose batch API follows OpenAI's with differences that
the methods name. Every method may raise ``UpstreamUnavailable`` or ``UpstreamRejected``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from batchapp.providers import json_values, responses, tariffs
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.http import PAGE_SIZE, Exchange, open_http
from batchapp.providers.remote_objects import (
    Analytics,
    CostEstimate,
    Page,
    RemoteBatch,
    RemoteFile,
)
from batchapp.providers.result_stream import Content
from batchapp.providers.upload_stream import Sendable, Upload

CLOCK_MARGIN = timedelta(hours=1)
"""How far the provider's clock may be from ours when a search pages back to a moment."""


def connect(
    base_url: str,
    key: str,
    *,
    timeout_seconds: float = 60,
    transport: httpx.BaseTransport | None = None,
) -> "ProviderClient":
    """Return a client for one provider. Nothing is sent yet.

    Args:
        base_url: with or without ``/v1`` or ``/`` at its end.
        key: sent to that host only; it appears in no error, log or ``repr``.
        timeout_seconds: of silence, not in total; five times that for an upload or a create.
        transport: for tests.

    Raises:
        UpstreamRejected: the key is none that an HTTP header can carry.
        UpstreamUnavailable: ``base_url`` is no plain http(s) address.
    """
    return ProviderClient(open_http(base_url, key, timeout_seconds, transport))


class ProviderClient:
    """A provider's batch API."""

    def __init__(self, http: httpx.Client) -> None:
        self._exchange = Exchange(http)

    @property
    def is_sandbox(self) -> bool | None:
        """Whether the last answer came from the local stand-in; None before any."""
        return self._exchange.is_sandbox

    def list_models(self) -> list[str]:
        """Return the names that ``model`` in a request may have, as the provider spells them."""
        return self._exchange.ask("listing the models", "GET", "/v1/models", _model_names)

    def list_tariffs(self) -> list[tariffs.ModelTariffs]:
        """Return every model with what is charged for it now. Doubleword only.

        It takes a platform key, at the address that ``management_url`` gives.

        Raises:
            UpstreamUnavailable: also if the pages end before all models were named.
        """
        return tariffs.ask(self._exchange)

    def upload_file(
        self,
        content: Sendable,
        *,
        name: str,
        on_progress: Callable[[int], None] | None = None,
    ) -> RemoteFile:
        """Upload a JSONL file, from its first byte, in small pieces.

        Doubleword checks every line before it answers and stores all or nothing; its refusal
        names the first bad line, counted without blank ones.

        Args:
            content: seekable, so that its length can be announced.
            name: what ``find_files`` will find; the provider does not insist on unique names.
            on_progress: called with the number of bytes handed over so far.
        """
        return self._exchange.ask(
            "uploading the file",
            "POST",
            "/v1/files",
            RemoteFile.from_json,
            patient=True,
            data={"purpose": "batch"},
            files={"file": (name, Upload(content, on_progress), "application/jsonl")},
        )

    def find_files(self, name: str) -> list[RemoteFile]:
        """Return the uploaded files with exactly this name, the oldest first."""
        found: list[RemoteFile] = []
        query = {"purpose": "batch", "search": name, "limit": str(PAGE_SIZE)}
        read = RemoteFile.from_json
        for page in self._exchange.pages("looking for the file", "/v1/files", read, query):
            found += [file for file in page.data if file.name == name]
        return sorted(found, key=_age)

    def list_files(self, *, limit: int = PAGE_SIZE) -> Page[RemoteFile]:
        """Return the newest files that were sent to be run, no results among them."""
        query = {"purpose": "batch", "limit": str(limit)}
        return self._exchange.page("listing the files", "/v1/files", RemoteFile.from_json, query)

    def retrieve_file(self, file_id: str) -> RemoteFile:
        """Return what is known of a file, its content apart."""
        path = f"/v1/files/{_quoted(file_id)}"
        return self._exchange.ask("asking for the file", "GET", path, RemoteFile.from_json)

    def create_batch(
        self, file_id: str, *, endpoint: str, window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        """Start a batch: the one call that spends money and must not be made twice.

        There is no idempotency key. Put a token into ``metadata`` and, after an
        ``UpstreamUnavailable`` with ``maybe_done``, ask ``find_batches`` for it first.
        """
        body = {
            "input_file_id": file_id,
            "endpoint": endpoint,
            "completion_window": window,
            "metadata": dict(metadata),
        }
        return self._exchange.ask(
            "creating the batch",
            "POST",
            "/v1/batches",
            RemoteBatch.from_json,
            patient=True,
            json=body,
        )

    def find_batches(self, key: str, value: str, *, since: datetime) -> list[RemoteBatch]:
        """Return the batches created after ``since`` with ``metadata[key] == value``.

        The oldest first. Lists come from a replica: a batch just created may be missing for
        some seconds. A provider that does not know ``search`` is paged through, newest first,
        back to an hour before ``since``.

        Raises:
            UpstreamUnavailable: also if the pages repeat before they are through, or cannot be
                read, because a batch that was not seen must not be taken for none.
        """
        doing = "looking for the batch"
        found: list[RemoteBatch] = []
        query = {"search": value, "limit": str(PAGE_SIZE)}
        for page in self._exchange.pages(doing, "/v1/batches", RemoteBatch.from_json, query):
            if not page.is_clear:
                raise responses.garbled(doing, "a list of batches without a readable end")
            for batch in page.data:
                is_old = batch.created_at and batch.created_at < since - CLOCK_MARGIN
                told = batch if batch.metadata or is_old else self._with_metadata(batch, doing)
                found += [told] if told.metadata.get(key) == value else []
            oldest = page.data[-1].created_at if page.data else None
            if not page.has_more or (oldest and oldest < since - CLOCK_MARGIN):
                return sorted(found, key=_age)
        raise responses.garbled(doing, "a list of batches whose pages repeat")

    def _with_metadata(self, listed: RemoteBatch, doing: str) -> RemoteBatch:
        """A batch of a list that said no metadata of it, asked for by itself.

        Some providers leave it out where nobody gave any; so may an answer that was spoilt.
        """
        try:
            batch = self.retrieve_batch(listed.id)
        except ProviderRejected as exc:
            if exc.reason not in {Reason.NOT_FOUND, Reason.GONE}:
                raise
            raise responses.garbled(doing, "a batch that it does not know by itself") from exc
        if batch.is_garbled:
            raise responses.garbled(doing, "a batch whose metadata cannot be read")
        return batch

    def retrieve_batch(self, batch_id: str) -> RemoteBatch:
        """Return a batch as it is now.

        On Doubleword this also writes the final state down: lists may show ``finalizing`` for
        some seconds longer.
        """
        path = f"/v1/batches/{_quoted(batch_id)}"
        return self._exchange.ask("asking for the batch", "GET", path, RemoteBatch.from_json)

    def list_batches(
        self,
        *,
        active_first: bool = False,
        limit: int = PAGE_SIZE,
        after: str | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
    ) -> Page[RemoteBatch]:
        """Return one page, the newest batch first, with ``active_first`` unfinished ones before.

        ``search`` finds parts of metadata, file name or id, with ``%`` and ``_`` as wildcards.
        Doubleword answers an unknown ``after`` with the first page again, and pages shift when
        a batch finishes: a loop over pages needs an end of its own. Rows that cannot be read are
        left out.
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
        doing, path = "listing the batches", "/v1/batches"
        return self._exchange.ask(doing, "GET", path, _readable_batches, params=query)

    def cancel_batch(self, batch_id: str) -> RemoteBatch:
        """Stop a batch. What is done stays; requests under way may still end and be billed.

        Doubleword also relabels a batch that was over: ask ``retrieve_batch`` first.
        """
        path = f"/v1/batches/{_quoted(batch_id)}/cancel"
        return self._exchange.ask("cancelling the batch", "POST", path, RemoteBatch.from_json)

    def retry_batch(self, batch_id: str) -> RemoteBatch:
        """Run a batch's failed and cancelled requests again, within its old window.

        Doubleword only. It reopens a batch that was over and empties its error file. It is
        refused (INVALID) if there is nothing to retry.
        """
        path = f"/v1/batches/{_quoted(batch_id)}/retry"
        return self._exchange.ask("retrying the batch", "POST", path, RemoteBatch.from_json)

    @contextmanager
    def open_content(
        self, file_id: str, *, skip: int = 0, on_progress: Callable[[int], None] | None = None
    ) -> Iterator[Content]:
        """Open a file's lines for reading, without the first ``skip``.

        A running batch's result file is there from the start, with what is done so far.
        Lines come in the order of completion; one may be missed or come twice when a read is
        resumed, so de-duplicate by ``id`` and, once the batch is over, compare with its counts.
        ``on_progress`` is called with the number of bytes that came so far.

        Source: Doubleword's parameter is ``skip``; ``offset`` of its older guides is ignored.
        """
        doing = "reading the results"
        path = f"/v1/files/{_quoted(file_id)}/content"
        query = {"skip": str(skip)} if skip > 0 else {}
        with self._exchange.answer(doing, "GET", path, params=query) as response:
            yield Content(response, doing, on_progress)

    def cost_estimate(self, file_id: str, *, window: str) -> CostEstimate:
        """Return the provider's own estimate for a file. Doubleword only.

        A window it does not know is priced as realtime, and an unknown model as free.
        """
        path = f"/v1/files/{_quoted(file_id)}/cost-estimate"
        query = {"completion_window": window}
        read = CostEstimate.from_json
        return self._exchange.ask("asking for an estimate", "GET", path, read, params=query)

    def analytics(self, batch_id: str) -> Analytics:
        """Return what a batch has used. Doubleword only."""
        path = f"/v1/batches/{_quoted(batch_id)}/analytics"
        return self._exchange.ask("asking for the cost", "GET", path, Analytics.from_json)

    def balance(self) -> Decimal | None:
        """Return the account's credit in USD, which may be below zero; None if it is not told.

        Doubleword only, and only with a platform key: with any other it is refused.
        """
        path = "/admin/api/v1/users/current"
        query = {"include": "billing"}
        return self._exchange.ask("asking for the balance", "GET", path, _balance, params=query)

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _readable_batches(value: object) -> Page[RemoteBatch]:
    page = Page.from_json(value, _batch_or_none)
    rows = tuple(batch for batch in page.data if batch)
    return Page(rows, page.has_more, page.last_id, page.is_clear)


def _batch_or_none(value: object) -> RemoteBatch | None:
    try:
        return RemoteBatch.from_json(value)
    except json_values.MalformedError:
        return None


def _model_names(value: object) -> list[str]:
    entry = json_values.mapping(value, "a list of models")
    if not isinstance(entry.get("data"), list):
        raise json_values.MalformedError("a list of models without data")
    names = (json_values.text(row.get("id")) for row in entry["data"] if isinstance(row, dict))
    return [name for name in names if name]


def _balance(value: object) -> Decimal | None:
    entry = json_values.mapping(value, "an account")
    told = entry.get("credit_balance")
    if isinstance(told, bool) or not isinstance(told, str | int | Decimal):
        return None
    try:
        amount = Decimal(told)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _age(row: RemoteFile | RemoteBatch) -> tuple[datetime, str]:
    """A sort key: the oldest first, those of unknown age last."""
    return (row.created_at or datetime.max.replace(tzinfo=UTC), row.id)


def _quoted(identifier: str) -> str:
    """An id as one segment of a path, whatever it holds."""
    if not identifier.strip(" ."):  # "" and ".." would be another path altogether
        raise ValueError(f"no id: {identifier!r}")
    return quote(identifier, safe="")
