"""The last checks of a create: models and their windows, volume, capacity."""

import sqlite3
from collections.abc import Mapping, Sequence

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import ApiError, text_error, too_many_requests
from batchapp.sandbox.settings import Settings

# The values of the faults that refuse a create, by fault.
Refusals = Mapping[str, float | str | None]


def check_models(
    connection: sqlite3.Connection,
    file_pk: int,
    window: str,
    settings: Settings,
    refusals: Refusals,
) -> None:
    """Check that each model of the file exists and supports the completion window.

    Raises:
        ApiError: 400 with the first model that does not support ``window``, or all unknown ones.
    """
    models = _models(connection, file_pk)
    only_window = refusals.get("one-window")
    for alias in models:
        windows = settings.model_windows.get(alias)
        if only_window is not None:
            windows = (str(only_window),)
        if windows is not None and window not in windows:
            raise text_error(400, _window_text(alias, window, windows))
    unavailable = [alias for alias in models if alias not in MODELS]
    if unavailable:
        names = ", ".join(unavailable)
        raise text_error(
            400,
            f"The following model(s) are no longer available: {names}."
            " The batch file references models that have been removed.",
        )


def check_volume(
    connection: sqlite3.Connection,
    file: sqlite3.Row,
    window: str,
    settings: Settings,
    requests_per_hour: float,
    *,
    moment: float,
) -> None:
    """Check the limit of an account that is not verified, which grows with the window.

    Raises:
        ApiError: 429. A file that is larger than the limit can never pass.
    """
    seconds = settings.completion_windows[window]
    cap = int(requests_per_hour * seconds) // 3600
    current = connection.execute(
        "SELECT COALESCE(SUM(total), 0) FROM batches WHERE owner = ? AND completion_window = ?"
        " AND created_at >= ? AND deleted_at IS NULL",
        (file["owner"], window, moment - seconds),
    ).fetchone()[0]
    requested = connection.execute(
        "SELECT SUM(requests) FROM file_models WHERE file = ?", (file["pk"],)
    ).fetchone()[0]
    if current + requested > cap:
        raise too_many_requests(
            f"Unverified accounts can submit at most {cap} request(s) per {window} completion"
            f" window. You have {current} in the last {window}, so this submission of {requested}"
            " would exceed the limit. Verify your account by adding a payment method or making a"
            " payment to remove this limit."
        )


def no_capacity(connection: sqlite3.Connection, file_pk: int, window: str) -> ApiError:
    return too_many_requests(
        f"Insufficient capacity for {window} completion window. The following models are currently"
        f" at capacity: {', '.join(_models(connection, file_pk))}."
        " Try again later or use a longer completion window."
    )


def _models(connection: sqlite3.Connection, file_pk: int) -> list[str]:
    rows = connection.execute("SELECT model FROM file_models WHERE file = ?", (file_pk,))
    return [row["model"] for row in rows]


def _window_text(alias: str, window: str, windows: Sequence[str]) -> str:
    if not windows:
        return f"Model '{alias}' does not support batch processing."
    return (
        f"Model '{alias}' does not support completion window '{window}'."
        f" Allowed: {', '.join(windows)}"
    )
