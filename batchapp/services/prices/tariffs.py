"""A provider's own tariffs as a price list, to be compared like any other."""

import csv
import io
from datetime import datetime

from batchapp.domain.money import price_list_csv
from batchapp.models import REALTIME, Connection
from batchapp.providers.client import ProviderClient


def fetch(connection: Connection, provider: ProviderClient, at: datetime) -> str:
    """Ask for the tariffs of the windows that ``connection`` offers; a CSV.

    Raises:
        UpstreamError: the key may not read prices, or nobody answered.
    """
    windows = connection.windows if isinstance(connection.windows, list) else []
    source = f"{connection}, its own tariffs of {at:%-d %B %Y}"[:200]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["model", "window", "input_usd", "output_usd", "source"])
    for each in provider.list_tariffs():
        for window in (*windows, REALTIME):
            if tariff := each.price(window):
                amounts = [f"{tariff.input:f}", f"{tariff.output:f}"]
                cells = [each.model, window, *amounts, source]
                writer.writerow([price_list_csv.inert(cell) for cell in cells])
    return text.getvalue()
