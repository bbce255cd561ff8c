"""The contract between the portal and a provider: what a provider can do, and how it is asked.

Each kind of provider is a module with a class that fulfils ``Provider`` and a ``Capabilities``
that says what the kind offers. Services ask ``Connection.capabilities``, never for a name.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, Self

from batchapp.domain.model_cards import ModelCard
from batchapp.providers.remote_objects import Analytics, Page, RemoteBatch, RemoteFile
from batchapp.providers.result_stream import Content
from batchapp.providers.tariffs import ModelTariffs
from batchapp.providers.upload_stream import Sendable


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of provider offers beyond files, create, retrieve, cancel and content.

    The defaults are those of a provider of which nothing is known: no addition is assumed, and
    each limit is.

    Attributes:
        partial_results: results can be read while a batch runs, continued with ``skip``.
        retry_in_place: a batch that is over runs its failed and cancelled requests again.
        list: the batches of a key can be listed, and so be found by what ``metadata`` says.
        list_filters: lists know ``search`` and ``active_first``.
        analytics: the provider tells the usage and cost of a batch.
        tariffs: a management API tells prices, models and the balance, to a platform key.
        webhooks: the provider sends a signed message when a batch ends.
        idempotency: a create that is repeated with the same metadata makes no second batch.
        one_model_per_file: a file whose requests name several models is refused.
        enqueued_limits: a batch may fail after its create, for want of room in the account.
        windows: the completion windows, the usual one first.
        endpoints: the ``url`` of requests, () if these are not known.
        cache_markers: markers in a request say which part of its prompt is cached.
        reasoning_effort_only: every field for reasoning but ``reasoning_effort`` is refused.
    """

    partial_results: bool = False
    retry_in_place: bool = False
    list: bool = True
    list_filters: bool = False
    analytics: bool = False
    tariffs: bool = False
    webhooks: bool = False
    idempotency: bool = False
    one_model_per_file: bool = True
    enqueued_limits: bool = True
    windows: tuple[str, ...] = ("24h",)
    endpoints: tuple[str, ...] = ()
    cache_markers: bool = False
    reasoning_effort_only: bool = False

    @property
    def pause(self) -> bool:
        """Return True if a cancelled batch can go on, which is how a batch is paused."""
        return self.retry_in_place


class Provider(Protocol):
    """The calls to a provider with one key.

    1. Each method SHALL send at most one request that changes anything, and SHALL NOT repeat it.
    2. Each method SHALL raise ``ProviderUnavailable`` or ``ProviderRejected`` and nothing else,
       with ``maybe_done`` False only if certainly nothing was changed.
    3. No error and no ``repr`` SHALL contain the key, and the key SHALL go to one host only.
    4. A list MAY come from a replica that is behind, and MAY leave out unreadable rows. It SHALL
       NOT end early without an error where the caller would create a batch again.
    5. A method for a capability that the kind lacks MAY be missing from its API; callers SHALL ask
       ``Capabilities`` before they call it.
    6. Fields of answers MAY be missing, new or of other types: all but an id count as absent then.
       A status that is not known SHALL become ``RemoteStatus.UNKNOWN``, with its word kept.
    """

    @property
    def is_sandbox(self) -> bool | None:
        """Return True if the last answer came from the local sandbox; None before any answer."""

    @property
    def address(self) -> str:
        """Return the address below which the API is asked, such as ``https://host/v1``."""

    def list_models(self) -> list[str]:
        """Return the model names that a request may use, as the provider spells them."""

    def describe_models(self) -> list[ModelCard]:
        """Return the models that a request may use, with what the list tells of each."""

    def upload_file(
        self, content: Sendable, *, name: str, on_progress: Callable[[int], None] | None = None
    ) -> RemoteFile:
        """Upload a JSONL file; the provider MAY need some time before the file can be used."""

    def find_files(self, name: str) -> list[RemoteFile]:
        """Return the uploaded files with exactly this name, the oldest first."""

    def list_files(self, *, limit: int = 100) -> Page[RemoteFile]:
        """Return the newest input files, without result files."""

    def retrieve_file(self, file_id: str) -> RemoteFile:
        """Return the description of a file, without its content."""

    def create_batch(
        self, file_id: str, *, endpoint: str, window: str, metadata: Mapping[str, str]
    ) -> RemoteBatch:
        """Start a batch: the only call that spends money and SHALL NOT be made twice."""

    def find_batches(self, key: str, value: str, *, since: datetime) -> list[RemoteBatch]:
        """Return the batches since ``since`` with ``metadata[key] == value``, the oldest first."""

    def retrieve_batch(self, batch_id: str) -> RemoteBatch:
        """Return a batch in its current state."""

    def list_batches(
        self,
        *,
        active_first: bool = False,
        limit: int = 100,
        after: str | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
    ) -> Page[RemoteBatch]:
        """Return one page of batches; the provider MAY ignore all but ``limit`` and ``after``."""

    def cancel_batch(self, batch_id: str) -> RemoteBatch:
        """Cancel a batch. Its results stay; requests in progress MAY still end and be billed."""

    def open_content(
        self, file_id: str, *, skip: int = 0, on_progress: Callable[[int], None] | None = None
    ) -> AbstractContextManager[Content]:
        """Open a file's lines; ``skip`` only with ``Capabilities.partial_results``."""

    def retry_batch(self, batch_id: str) -> RemoteBatch:
        """Run failed and cancelled requests again; ``Capabilities.retry_in_place``."""

    def analytics(self, batch_id: str) -> Analytics:
        """Return the usage and cost of a batch; ``Capabilities.analytics``."""

    def close(self) -> None:
        """Close all connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...


class Management(Protocol):
    """The management API of a provider with ``Capabilities.tariffs``, and a platform key."""

    @property
    def address(self) -> str:
        """Return the address below which the management API is asked."""

    def describe_managed_models(self) -> list[ModelCard]:
        """Return every model with what the management API tells of it."""

    def list_tariffs(self) -> list[ModelTariffs]:
        """Return every model with its current prices."""

    def balance(self) -> Decimal | None:
        """Return the account's credit in USD, which may be negative; None if there is none."""

    def close(self) -> None:
        """Close all connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...
