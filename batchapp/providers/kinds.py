"""The kinds of providers by name, and the way to a client of each.

A new kind is one module beside this one, and one entry in ``KINDS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from batchapp.providers import doubleword, groq, openai, tariffs
from batchapp.providers.base import Capabilities, Management, Provider
from batchapp.providers.errors import ProviderRejected
from batchapp.providers.http import Exchange, api_url, open_http, root_url

USUAL_TIERS = frozenset({"", "auto", "default"})  # billed in real time everywhere
UNUSED_ID = "which-kind-of-provider-is-this"  # no batch has this id


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider.

    Attributes:
        name: as it is stored.
        label: as pages say it.
        hosts: the documented hosts of providers of this kind, with all hosts below each.
        unknown_batch: the status and the words with which this kind alone answers the question
            for a batch whose id is none; None if that is not known.
        management: the client of its management API, if it has one.
        tier_windows: the service tiers of single requests, each with the completion window at
            whose price it is billed. All other tiers are billed in real time.
        account_page, keys_page: where credits are added and keys made, "" if that is not known.
        has_shipped_lists: the portal ships its published prices and models.
    """

    name: str
    label: str
    capabilities: Capabilities
    provider: Callable[[Exchange], Provider]
    hosts: tuple[str, ...] = ()
    unknown_batch: tuple[int, str] | None = None
    management: Callable[[Exchange], Management] | None = None
    tier_windows: tuple[tuple[str, str], ...] | None = None  # None: they are not known
    account_page: str = ""
    keys_page: str = ""
    has_shipped_lists: bool = False

    def window_of_tier(self, tier: str) -> str:
        """Return the window at whose price a single request of ``tier`` is billed.

        "" stands for real time. Where it is not known, a tier has a price of its own.
        """
        if self.tier_windows is not None:
            return dict(self.tier_windows).get(tier, "")
        return "" if tier in USUAL_TIERS else tier

    def is_at(self, base_url: str) -> bool:
        """Return True if ``base_url`` is a documented address of this kind."""
        try:
            host = urlsplit(base_url.strip()).hostname or ""
        except ValueError:
            return False
        return any(f".{host}".endswith(f".{known}") for known in self.hosts)


DOUBLEWORD = Kind(
    "doubleword",
    "Doubleword",
    doubleword.CAPABILITIES,
    doubleword.DoublewordProvider,
    hosts=("doubleword.ai",),
    unknown_batch=(400, "Invalid batch ID format"),
    management=doubleword.DoublewordManagement,
    # A flexible request is run as a batch within an hour would be, at the price of that window.
    # Source: ``compute_billing_tier`` and ``find_best_tariff`` of the control layer 10.13.1.
    tier_windows=(("flex", "1h"), ("background", "background")),
    account_page="https://app.doubleword.ai",
    keys_page="https://app.doubleword.ai",
    has_shipped_lists=True,
)
OPENAI = Kind(
    "openai",
    "OpenAI",
    openai.CAPABILITIES,
    openai.OpenAIProvider,
    hosts=("api.openai.com",),
    unknown_batch=(404, f"No batch found with id '{UNUSED_ID}'."),
    account_page="https://platform.openai.com/settings/organization/billing",
    keys_page="https://platform.openai.com/api-keys",
)
GROQ = Kind(
    "groq",
    "Groq",
    groq.CAPABILITIES,
    openai.OpenAIProvider,
    hosts=("api.groq.com",),
    account_page="https://console.groq.com/settings/billing",
    keys_page="https://console.groq.com/keys",
)
# A provider of which nothing is known but that it has the batch API of OpenAI.
UNKNOWN = Kind("", "Not known yet", Capabilities(), openai.OpenAIProvider)

KINDS = {kind.name: kind for kind in (DOUBLEWORD, OPENAI, GROQ)}


def kind_named(name: str) -> Kind:
    """Return the kind of this name; UNKNOWN for "" and for a name of another version."""
    return KINDS.get(name, UNKNOWN)


def kind_at(base_url: str) -> Kind:
    """Return the kind whose documented address ``base_url`` is, else UNKNOWN."""
    return next((kind for kind in KINDS.values() if kind.is_at(base_url)), UNKNOWN)


def recognise(provider: Provider) -> Kind:
    """Ask for a batch that does not exist, and return the kind that answers so; else UNKNOWN.

    Raises:
        ProviderUnavailable: there was no answer.
    """
    try:
        provider.retrieve_batch(UNUSED_ID)
    except ProviderRejected as exc:
        answer = exc.status, exc.message
        return next((kind for kind in KINDS.values() if kind.unknown_batch == answer), UNKNOWN)
    return UNKNOWN


def connect(
    kind: Kind,
    base_url: str,
    key: str,
    *,
    timeout_seconds: float = 60,
    session_seconds: float | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Provider:
    """Return a client for one provider. Nothing is sent yet.

    Args:
        kind: of the provider.
        base_url: with or without ``/v1`` or ``/`` at its end; nothing is appended to an address
            that names another version, such as ``https://host/v1beta/openai``.
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
    http = open_http(api_url(base_url), key, transport)
    return kind.provider(Exchange(http, timeout_seconds, session_seconds))


def connect_management(
    kind: Kind,
    base_url: str,
    key: str,
    *,
    timeout_seconds: float = 60,
    session_seconds: float | None = None,
    transport: httpx.BaseTransport | None = None,
) -> Management | None:
    """Return a client for the management API of the provider that takes batches at ``base_url``.

    ``key`` is a platform key. None if the kind has no management API.

    Raises:
        ValueError: ``base_url`` is no address.
        ProviderError: as for ``connect``.
    """
    if kind.management is None or not kind.capabilities.tariffs:
        return None
    http = open_http(root_url(tariffs.management_url(base_url)), key, transport)
    return kind.management(Exchange(http, timeout_seconds, session_seconds))
