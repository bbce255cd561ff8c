"""Ask the provider whether a batch would run, before it is ordered."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any

from batchapp import access
from batchapp.domain.missing_models import missing_models
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files import check_file
from batchapp.models import REALTIME, Connection, Upload, User
from batchapp.providers.base import Management, Provider
from batchapp.providers.errors import (
    KEY_REASONS,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
)
from batchapp.services.orders import division

CHECKED_IDS = 50  # at the start of a file; most often all custom_ids are of one kind

BARE_NUMBER = re.compile(r"(?:req(?:uest)?|row|line|item|task|id|custom|job)?[-_ #:.]*\d+", re.I)


class Level(StrEnum):
    """A person may submit in spite of a ``BLOCKER``, but not of ``IMPOSSIBLE``."""

    PASSED = "passed"
    HINT = "hint"
    WARNING = "warning"
    BLOCKER = "blocker"
    IMPOSSIBLE = "impossible"  # the provider would refuse the batch


@unique
class CheckCode(StrEnum):
    """The results of checks; ``presenters/readiness_text.py`` has the sentences."""

    BALANCE_BELOW_EXPECTED = "balance_below_expected"
    BALANCE_BELOW_MOST = "balance_below_most"
    BALANCE_ENOUGH = "balance_enough"
    BALANCE_NOT_COMPARED = "balance_not_compared"
    BALANCE_NOT_TOLD = "balance_not_told"
    BALANCE_SPENT = "balance_spent"
    CONNECTION_ARCHIVED = "connection_archived"
    DIVIDED = "divided"
    IDS_ONLY_COUNT = "ids_only_count"
    KEY_MOVED = "key_moved"
    KEY_REFUSED = "key_refused"
    KEY_TAKEN = "key_taken"
    KEY_UNREADABLE = "key_unreadable"
    MODEL_NOT_OFFERED = "model_not_offered"
    MODELS_NOT_LISTED = "models_not_listed"
    MODELS_NOT_TOLD = "models_not_told"
    MODELS_OFFERED = "models_offered"
    NO_ANSWER = "no_answer"
    NOT_ASKED = "not_asked"
    SPLIT = "split"
    WINDOW_BY_SETTING = "window_by_setting"
    WINDOW_CHEAPER = "window_cheaper"
    WINDOW_NOT_FOR_MODEL = "window_not_for_model"
    WINDOW_NOT_OFFERED = "window_not_offered"
    WINDOW_OFFERED = "window_offered"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check, with the facts that its sentence names; amounts are in USD."""

    level: Level
    code: CheckCode
    data: dict[str, Any] = field(default_factory=dict)


def check_readiness(
    upload: Upload,
    user: User,
    provider: Provider,
    quotes: Mapping[str, Estimate],
    window: str,
    *,
    platform: Management | None = None,
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
    if connection.archived_at:
        return [_check(Level.BLOCKER, CheckCode.CONNECTION_ARCHIVED, connection)]
    checks = [*_provider_checks(connection, provider, quote, platform)]
    has_answer = checks[0].level is Level.PASSED
    checks.append(_window_check(connection, quote, window, platform if has_answer else None))
    return [*checks, *find_improvements(upload, quotes, window)]


def find_improvements(upload: Upload, quotes: Mapping[str, Estimate], window: str) -> list[Check]:
    """Return hints about a batch that would run; the provider is not asked."""
    hints = [_ids_hint(upload), _cheaper_hint(quotes, window), _split_hint(upload)]
    return [hint for hint in hints if hint]


def _provider_checks(
    connection: Connection,
    provider: Provider,
    quote: Estimate,
    platform: Management | None,
) -> Iterator[Check]:
    try:
        offered = provider.list_models()
    except ProviderRejected as exc:
        yield _refused(connection, exc)
        return
    except ProviderUnavailable as exc:
        yield _check(Level.WARNING, CheckCode.NO_ANSWER, connection, error=str(exc))
        return
    yield _check(Level.PASSED, CheckCode.KEY_TAKEN, connection)
    yield from _model_checks(connection, offered, quote)
    if not connection.is_sandbox:
        level, code, data = _balance_result(platform, quote)
        yield _check(level, code, connection, is_of_platform_key=platform is not None, **data)


def _check(level: Level, code: CheckCode, connection: Connection, **data: Any) -> Check:
    return Check(level, code, {"connection": connection.name, **data})


def _refused(connection: Connection, exc: ProviderRejected) -> Check:
    if exc.reason in KEY_REASONS:
        return _check(Level.BLOCKER, CheckCode.KEY_REFUSED, connection, said=exc.message)
    return _check(Level.WARNING, CheckCode.MODELS_NOT_TOLD, connection, said=exc.message)


def _model_checks(connection: Connection, offered: list[str], quote: Estimate) -> Iterator[Check]:
    models = [line.model for line in quote.models]
    missing = missing_models(models, offered)
    if not offered:
        yield _check(Level.WARNING, CheckCode.MODELS_NOT_LISTED, connection)
    elif not missing:
        yield _check(Level.PASSED, CheckCode.MODELS_OFFERED, connection, models=models)
    for model, near in missing.items():
        yield _check(
            Level.IMPOSSIBLE,
            CheckCode.MODEL_NOT_OFFERED,
            connection,
            model=model,
            near=near,
            is_unpriced=model in quote.unpriced,
        )


def _window_check(
    connection: Connection, quote: Estimate, window: str, platform: Management | None
) -> Check:
    if window not in connection.windows:
        windows = list(connection.windows)
        return _check(
            Level.IMPOSSIBLE,
            CheckCode.WINDOW_NOT_OFFERED,
            connection,
            window=window,
            windows=windows,
        )
    allowed = _windows(platform) if platform else {}
    models = [line.model for line in quote.models]
    for model in models:
        if window not in allowed.get(model, (window,)):
            return _check(
                Level.BLOCKER,
                CheckCode.WINDOW_NOT_FOR_MODEL,
                connection,
                model=model,
                window=window,
                windows=list(allowed[model]),
            )
    if all(model in allowed for model in models):
        return _check(Level.PASSED, CheckCode.WINDOW_OFFERED, connection, window=window)
    return _check(Level.PASSED, CheckCode.WINDOW_BY_SETTING, connection, window=window)


def _windows(platform: Management) -> dict[str, tuple[str, ...]]:
    """Return model -> windows of its batches, for the models whose windows the provider lists."""
    try:
        tariffs = platform.list_tariffs()
    except ProviderError:
        return {}
    return {tariff.model: tariff.windows for tariff in tariffs if tariff.windows}


def _balance_result(
    platform: Management | None, quote: Estimate
) -> tuple[Level, CheckCode, dict[str, Any]]:
    try:
        balance = platform.balance() if platform else None
    except ProviderError:
        balance = None
    expected, most = quote.expected_usd, quote.ceiling_usd
    data = {"balance": balance, "expected": expected, "most": most}
    if balance is None:
        return Level.HINT, CheckCode.BALANCE_NOT_TOLD, data
    if balance <= 0:
        return Level.BLOCKER, CheckCode.BALANCE_SPENT, data
    if expected is None or quote.unpriced:
        return Level.WARNING, CheckCode.BALANCE_NOT_COMPARED, data
    if balance < expected:
        return Level.WARNING, CheckCode.BALANCE_BELOW_EXPECTED, data
    if most is None or balance < most:
        return Level.WARNING, CheckCode.BALANCE_BELOW_MOST, data
    return Level.PASSED, CheckCode.BALANCE_ENOUGH, data


def _ids_hint(upload: Upload) -> Check | None:
    """Return a hint if the requests are only numbered."""
    try:
        head = check_file.read_requests(upload.chunks())
        ids = [request.custom_id for request in itertools.islice(head, CHECKED_IDS)]
    except (OSError, ValueError):  # the step that sends the file reports it
        return None
    if not ids or not all(BARE_NUMBER.fullmatch(custom_id) for custom_id in ids):
        return None
    return Check(Level.HINT, CheckCode.IDS_ONLY_COUNT, {"custom_id": ids[0]})


def _cheaper_hint(quotes: Mapping[str, Estimate], window: str) -> Check | None:
    """Return a hint if another window costs less."""
    chosen = quotes[window]
    cost = chosen.expected_usd
    priced = [
        (quote.expected_usd, name)
        for name, quote in quotes.items()
        if name not in {window, REALTIME}
        if quote.expected_usd is not None and quote.is_complete
    ]
    if cost is None or not chosen.is_complete or not priced:
        return None
    lowest_cost, name = min(priced)
    if lowest_cost >= cost:
        return None
    data = {"window": name, "expected": lowest_cost, "expected_now": cost}
    return Check(Level.HINT, CheckCode.WINDOW_CHEAPER, data)


def _split_hint(upload: Upload) -> Check | None:
    """Return a hint if the file becomes several provider batches."""
    report, connection = upload.report, upload.project.connection
    if report is None or (number := division.count_provider_batches(report, connection)) < 2:
        return None
    if division.provider_batches_by_model(report, connection):
        return _check(Level.HINT, CheckCode.DIVIDED, connection, provider_batches=number)
    limits = connection.limits.exceeded_limits(upload.size, report.requests) or "less"
    return _check(Level.HINT, CheckCode.SPLIT, connection, provider_batches=number, limits=limits)
