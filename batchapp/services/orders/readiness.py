"""Ask the provider whether a batch would run, before it is ordered."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from enum import StrEnum

from batchapp import access
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files import check_file
from batchapp.models import REALTIME, Connection, Upload, User
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import (
    KEY_REASONS,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

CHECKED_IDS = 50  # at the start of a file; most often all custom_ids are of one kind

BARE_NUMBER = re.compile(r"(?:req(?:uest)?|row|line|item|task|id|custom|job)?[-_ #:.]*\d+", re.I)

ROUNDINGS, SMALLEST = (Decimal("0.01"), Decimal("0.0001")), Decimal("0.000001")  # USD


class Level(StrEnum):
    """A person may submit in spite of a ``BLOCKER``, but not of ``IMPOSSIBLE``."""

    PASSED = "passed"
    HINT = "hint"
    WARNING = "warning"
    BLOCKER = "blocker"
    IMPOSSIBLE = "impossible"  # the provider would refuse the batch


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, as a sentence with the next step."""

    level: Level
    text: str


def check_readiness(
    upload: Upload,
    user: User,
    provider: ProviderClient,
    quotes: Mapping[str, Estimate],
    window: str,
    *,
    platform: ProviderClient | None = None,
) -> list[Check]:
    """Check whether ``provider`` would run ``upload``, and find what could be improved.

    ``quotes`` has the estimate of each window on offer. ``platform``, the provider's management
    API, is asked for the balance, which most providers do not tell to other keys, and for the
    windows of each model. After a call without an answer, nothing more is asked.

    Raises:
        NotAllowed: the provider was not asked.
    """
    access.require_write(user, upload.project)
    connection, quote = upload.project.connection, quotes[window]
    checks = [*_provider_checks(connection, provider, quote, platform)]
    has_answer = checks[0].level is Level.PASSED
    checks.append(_window_check(connection, quote, window, platform if has_answer else None))
    return [*checks, *find_improvements(upload, quotes, window)]


def find_improvements(upload: Upload, quotes: Mapping[str, Estimate], window: str) -> list[Check]:
    """Return hints about a batch that would run; the provider is not asked."""
    texts = [_ids_hint(upload), _cheaper_hint(quotes, window), _split_hint(upload)]
    return [Check(Level.HINT, text) for text in texts if text]


def _provider_checks(
    connection: Connection,
    provider: ProviderClient,
    quote: Estimate,
    platform: ProviderClient | None,
) -> Iterator[Check]:
    try:
        offered = provider.list_models()
    except ProviderRejected as exc:
        yield _refused(connection, exc)
        return
    except ProviderUnavailable as exc:
        text = (
            f"{connection} gave no usable answer just now ({exc}). You may submit all the same: "
        )
        yield Check(Level.WARNING, f"{text}the portal keeps trying until it does.")
        return
    yield Check(Level.PASSED, f"{connection} takes the key.")
    yield from _model_checks(connection, offered, quote)
    if not connection.is_sandbox:
        account = " behind the platform key" if platform else ""
        yield _balance_check(connection, platform or provider, quote, account)


def _refused(connection: Connection, exc: ProviderRejected) -> Check:
    said = f" ({connection} said: {exc.message})" if exc.message else ""
    if exc.reason in KEY_REASONS:
        text = f"{connection} refuses the key. Choose another one, or replace it.{said}"
        return Check(Level.BLOCKER, text)
    text = f"{connection} does not say which models it offers, so they were not checked.{said}"
    return Check(Level.WARNING, text)


def _model_checks(connection: Connection, offered: list[str], quote: Estimate) -> Iterator[Check]:
    models = [line.model for line in quote.models]
    missing = [model for model in models if model not in set(offered)]
    if not offered:
        text = f"{connection} lists no models for this key, so yours were not checked."
        yield Check(Level.WARNING, text)
    elif not missing:
        name = models[0] if len(models) == 1 else f"all {len(models):,} models of the file"
        yield Check(Level.PASSED, f"{connection} offers {name}.")
    for model in missing if offered else ():
        near = get_close_matches(model, offered, n=1)
        hint = f" Is it {near[0]}?" if near else ""
        # The file's page offers another model only in place of a model without a price.
        step = (
            "Set another model, on the file's page or in the file itself"
            if model in quote.unpriced
            else "Correct the model in the file and upload it again"
        )
        text = f"{connection} does not offer {model} to this key.{hint} {step}, or choose a key "
        yield Check(Level.IMPOSSIBLE, f"{text}that may use it.")


def _window_check(
    connection: Connection, quote: Estimate, window: str, platform: ProviderClient | None
) -> Check:
    if window not in connection.windows:
        windows = ", ".join(connection.windows)
        text = f"The {window} window is not on offer. Choose one of: {windows}."
        return Check(Level.IMPOSSIBLE, text)
    allowed = _windows(platform) if platform else {}
    models = [line.model for line in quote.models]
    for model in models:
        if window not in allowed.get(model, (window,)):
            text = f"{connection} does not run {model} in the {window} window, by its own list. "
            return Check(Level.BLOCKER, f"{text}It offers: {', '.join(allowed[model])}.")
    if all(model in allowed for model in models):
        return Check(Level.PASSED, f"{connection} offers the {window} window.")
    text = f"The {window} window is on offer here. That is this portal's own setting."
    return Check(Level.PASSED, text)


def _windows(platform: ProviderClient) -> dict[str, tuple[str, ...]]:
    """Return model -> windows of its batches, for the models whose windows the provider lists."""
    try:
        tariffs = platform.list_tariffs()
    except ProviderError:
        return {}
    return {tariff.model: tariff.windows for tariff in tariffs if tariff.windows}


def _balance_check(
    connection: Connection, provider: ProviderClient, quote: Estimate, account: str
) -> Check:
    try:
        balance = provider.balance()
    except ProviderError:
        balance = None
    expected, most = quote.expected_usd, quote.ceiling_usd
    if balance is None:
        text = f"{connection} does not tell this key its balance. Check there that it is enough."
        return Check(Level.HINT, text)
    level, text = Level.WARNING, f"The account{account} has {_usd(balance)}"
    if balance <= 0:
        level = Level.BLOCKER
        text += f": requests would fail. Add credits at {connection} first."
    elif expected is None or quote.unpriced:
        text += "; as a price is missing, nobody knows whether that is enough."
    elif balance < expected:
        text += f", which is below the expected cost of ~{_usd(expected)}. Requests fail once it "
        text += f"is used up: add credits at {connection} first."
    elif most is None or balance < most:
        limit = "nothing bounds the cost" if most is None else f"it may be up to {_usd(most)}"
        text += f": enough for the about {_usd(expected)} expected, but {limit}."
    else:
        level = Level.PASSED
        text += ": enough, however long the answers are."
    return Check(level, text)


def _ids_hint(upload: Upload) -> str:
    """Return a sentence if the requests are only numbered, else ""."""
    try:
        head = check_file.read_requests(upload.chunks())
        ids = [request.custom_id for request in itertools.islice(head, CHECKED_IDS)]
    except (OSError, ValueError):  # the step that sends the file reports it
        return ""
    if not ids or not all(BARE_NUMBER.fullmatch(custom_id) for custom_id in ids):
        return ""
    return (
        f"The custom_ids only count (“{ids[0]}”). An id that names its subject, such as an order "
        "number, tells you later what an answer is about."
    )


def _cheaper_hint(quotes: Mapping[str, Estimate], window: str) -> str:
    """Return a sentence if another window costs less, else ""."""
    chosen = quotes[window]
    cost = chosen.expected_usd
    priced = [
        (quote.expected_usd, name)
        for name, quote in quotes.items()
        if name not in {window, REALTIME}
        if quote.expected_usd is not None and quote.is_complete
    ]
    if cost is None or not chosen.is_complete or not priced:
        return ""
    lowest_cost, name = min(priced)
    if lowest_cost >= cost:
        return ""
    return (
        f"If the answers can wait, the {name} window is expected to cost about "
        f"{_usd(lowest_cost)} rather than {_usd(cost)}."
    )


def _split_hint(upload: Upload) -> str:
    """Return a sentence if the file becomes several provider batches, else ""."""
    report, connection = upload.report, upload.project.connection
    if report is None or report.provider_batches < 2:
        return ""
    limits = connection.limits.exceeded_limits(upload.size, report.requests) or "less"
    return (
        f"It is sent as {report.provider_batches:,} provider batches, since {connection} takes "
        f"{limits} a file. They stay one batch here."
    )


def _usd(amount: Decimal) -> str:
    # Cents are enough for a decision, but a small amount must not read as nothing.
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if 0 < size < SMALLEST:
        return f"{sign}<${SMALLEST}"
    roundings = (rounding for rounding in ROUNDINGS if size >= rounding or not size)
    return f"{sign}${size.quantize(next(roundings, SMALLEST), ROUND_HALF_UP):,}"
