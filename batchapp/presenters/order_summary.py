"""The panel beside the steps of an order: the file, its price and who pays, so far as known."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchapp.domain.request_files.check_file import Report
from batchapp.models import Upload
from batchapp.presenters.order_choices import KeyChoice, WindowChoice
from batchapp.templatetags.words import count, short


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """``choice`` and ``key`` are None while they are not known; ``requests`` and ``models`` ""."""

    upload: Upload
    requests: str = ""
    models: str = ""
    choice: WindowChoice | None = None
    key: KeyChoice | None = None


def order_summary(
    upload: Upload,
    report: Report | None,
    windows: Mapping[str, WindowChoice] | None = None,
    window: str | None = "",
    key: KeyChoice | None = None,
) -> OrderSummary:
    """Return the panel with what is known; ``windows`` has the windows on offer by their name."""
    if report is None:
        return OrderSummary(upload)
    names = [short(model) for model in report.models]
    return OrderSummary(
        upload,
        count(report.requests, "request"),
        count(len(names), "model") if len(names) > 1 else "".join(names),
        windows.get(window or "") if windows else None,
        key,
    )
