"""Whether a batch would run: what a file alone cannot tell, and its provider can."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from enum import StrEnum

from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files import check_file
from batchapp.models import REALTIME, Connection, Upload
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import (
    ABOUT_KEYS,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)

IDS_LOOKED_AT = 50
"""Of the beginning of a file, whose custom_ids are most often all of one kind."""

BARE_NUMBER = re.compile(r"(?:req(?:uest)?|row|line|item|task|id|custom|job)?[-_ #:.]*\d+", re.I)

PLACES, SMALLEST = (Decimal("0.01"), Decimal("0.0001")), Decimal("0.000001")


class Mark(StrEnum):
    """``STOPS`` can be overruled by a person, ``CANNOT`` cannot: the provider would refuse."""

    FINE = "fine"
    INFO = "info"
    WARNS = "warns"
    STOPS = "stops"
    CANNOT = "cannot"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, as a sentence with what to do."""

    mark: Mark
    text: str


def check_readiness(
    upload: Upload,
    provider: ProviderClient,
    quotes: Mapping[str, Estimate],
    window: str,
    *,
    platform: ProviderClient | None = None,
) -> list[Line]:
    """Ask ``upstream`` what stands in the way of ``upload``, and look at what could be better.

    ``quotes`` has the estimate of each window on offer. ``platform`` is asked for the balance, if
    there is one, since most providers do not tell it to other keys, and for the windows of each
    model. Once a provider is silent, it is asked nothing more.
    """
    connection, quote = upload.project.connection, quotes[window]
    lines = [*_of_provider(connection, provider, quote, platform)]
    is_talking = lines[0].mark is Mark.FINE
    lines.append(_of_window(connection, quote, window, platform if is_talking else None))
    return [*lines, *advice(upload, quotes, window)]


def advice(upload: Upload, quotes: Mapping[str, Estimate], window: str) -> list[Line]:
    """What would work and could be better; nobody is asked."""
    found = [_ids(upload), _cheaper(quotes, window), _parts(upload)]
    return [Line(Mark.INFO, text) for text in found if text]


def _of_provider(
    connection: Connection,
    provider: ProviderClient,
    quote: Estimate,
    platform: ProviderClient | None,
) -> Iterator[Line]:
    try:
        offered = provider.list_models()
    except ProviderRejected as exc:
        yield _refused(connection, exc)
        return
    except ProviderUnavailable as exc:
        yield Line(
            Mark.WARNS,
            f"{connection} gave no usable answer just now ({exc}). You may submit all the same: "
            "the portal keeps trying until it does.",
        )
        return
    yield Line(Mark.FINE, f"{connection} takes the key.")
    yield from _of_models(connection, offered, quote)
    if not connection.is_sandbox:
        account = " behind the platform key" if platform else ""
        yield _of_balance(connection, platform or provider, quote, account)


def _refused(connection: Connection, exc: ProviderRejected) -> Line:
    said = f" ({connection} said: {exc.message})" if exc.message else ""
    if exc.reason in ABOUT_KEYS:
        text = f"{connection} refuses the key. Choose another one, or replace it.{said}"
        return Line(Mark.STOPS, text)
    text = f"{connection} does not say which models it offers, so they were not looked up.{said}"
    return Line(Mark.WARNS, text)


def _of_models(connection: Connection, offered: list[str], quote: Estimate) -> Iterator[Line]:
    asked = [line.model for line in quote.models]
    missing = [model for model in asked if model not in set(offered)]
    if not offered:
        text = f"{connection} lists no models for this key, so yours were not looked up."
        yield Line(Mark.WARNS, text)
    elif not missing:
        what = asked[0] if len(asked) == 1 else f"all {len(asked):,} models of the file"
        yield Line(Mark.FINE, f"{connection} offers {what}.")
    for model in missing if offered else ():
        near = get_close_matches(model, offered, n=1)
        hint = f" Is it {near[0]}?" if near else ""
        yield Line(
            Mark.CANNOT,
            f"{connection} does not offer {model} to this key.{hint} {_cure(model, quote)}, or "
            "choose a key that may use it.",
        )


def _cure(model: str, quote: Estimate) -> str:
    if model in quote.unpriced:  # which the file's page can correct, if it knows another model
        return "Set another model, on the file's page or in the file itself"
    return "Correct the model in the file and upload it again"


def _of_window(
    connection: Connection, quote: Estimate, window: str, platform: ProviderClient | None
) -> Line:
    if window not in connection.windows:
        windows = ", ".join(connection.windows)
        text = f"The {window} window is not on offer. Choose one of: {windows}."
        return Line(Mark.CANNOT, text)
    allowed = _windows(platform) if platform else {}
    asked = [line.model for line in quote.models]
    without = [model for model in asked if window not in allowed.get(model, (window,))]
    if without:
        model = without[0]
        text = (
            f"{connection} does not run {model} in the {window} window, by its own list. It "
            f"offers: {', '.join(allowed[model])}."
        )
        return Line(Mark.STOPS, text)
    if all(model in allowed for model in asked):
        return Line(Mark.FINE, f"{connection} offers the {window} window.")
    text = f"The {window} window is on offer here. That is this portal's own setting."
    return Line(Mark.FINE, text)


def _windows(platform: ProviderClient) -> dict[str, tuple[str, ...]]:
    """Model -> the windows that its batches may have, as far as the provider tells."""
    try:
        listed = platform.list_tariffs()
    except ProviderError:
        return {}
    return {each.model: each.windows for each in listed if each.windows}


def _of_balance(
    connection: Connection, provider: ProviderClient, quote: Estimate, account: str
) -> Line:
    try:
        balance = provider.balance()
    except ProviderError:
        balance = None
    expected, most = quote.expected_usd, quote.ceiling_usd
    if balance is None:
        text = f"{connection} tells this kind of key no balance. Look there whether it suffices."
        return Line(Mark.INFO, text)
    has = f"The account{account} has {_usd(balance)}"
    if balance <= 0:
        return Line(Mark.STOPS, f"{has}: requests would fail. Add credits at {connection} first.")
    if expected is None or quote.unpriced:
        text = f"{has}; without all prices nobody knows whether that is enough."
        return Line(Mark.WARNS, text)
    if balance < expected:
        text = (
            f"{has}, which is below the expected cost of ~{_usd(expected)}. Requests fail once it "
            f"is used up: add credits at {connection} first."
        )
        return Line(Mark.WARNS, text)
    if most is None or balance < most:
        up_to = "nothing bounds the cost" if most is None else f"it may be up to {_usd(most)}"
        text = f"{has}: enough for the about {_usd(expected)} expected, but {up_to}."
        return Line(Mark.WARNS, text)
    return Line(Mark.FINE, f"{has}: enough, however long the answers are.")


def _ids(upload: Upload) -> str:
    """A sentence if the requests are only numbered."""
    try:
        head = check_file.read_requests(upload.chunks())
        ids = [request.custom_id for request in itertools.islice(head, IDS_LOOKED_AT)]
    except (OSError, ValueError):  # the step that sends the file will say so
        return ""
    if not ids or not all(BARE_NUMBER.fullmatch(each) for each in ids):
        return ""
    return (
        f"The custom_ids only count (“{ids[0]}”). One that names its subject, such as an order "
        "number, tells you later what an answer is about."
    )


def _cheaper(quotes: Mapping[str, Estimate], window: str) -> str:
    """A sentence if waiting longer would cost less."""
    chosen = quotes[window]
    others = [quote for name, quote in quotes.items() if name not in {window, REALTIME}]
    ours = chosen.expected_usd
    priced = [
        (quote.expected_usd, quote.window)
        for quote in others
        if quote.expected_usd is not None and quote.is_complete
    ]
    if ours is None or not chosen.is_complete or not priced:
        return ""
    least, name = min(priced)
    if least >= ours:
        return ""
    return (
        f"If the answers can wait, the {name} window is expected to cost about {_usd(least)} "
        f"rather than {_usd(ours)}."
    )


def _parts(upload: Upload) -> str:
    """A sentence if the provider gets more than one file."""
    report, connection = upload.report, upload.project.connection
    if report is None or report.provider_batches < 2:
        return ""
    why = connection.limits.exceeded_limits(upload.size, report.requests) or "less"
    return (
        f"It is sent in {report.provider_batches:,} parts, since {connection} takes {why} a file. They stay "
        "one batch here."
    )


def _usd(amount: Decimal) -> str:
    """Cents are enough to decide by, but a small sum is not nothing."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if 0 < size < SMALLEST:
        return f"{sign}<${SMALLEST}"
    fitting = (place for place in PLACES if size >= place or not size)
    return f"{sign}${size.quantize(next(fitting, SMALLEST), ROUND_HALF_UP):,}"
