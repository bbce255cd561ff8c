"""Find the completion windows in which a model of a file does not run."""

from batchapp.domain.request_files.check_file import Report
from batchapp.models import Connection


def closed_windows(report: Report, connection: Connection) -> dict[str, str]:
    """Return window of ``connection`` -> a model of the file that does not run in that window.

    A model whose windows are not known runs in all of them.
    """
    cards = connection.offered_models.cards(report.models)
    closed: dict[str, str] = {}
    for name, card in cards.items():
        for window in connection.windows if card.windows else ():
            if window not in card.windows:
                closed.setdefault(window, name)
    return closed
