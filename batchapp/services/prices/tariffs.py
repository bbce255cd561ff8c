"""Fetch a provider's own tariffs as a price list, which can be compared like any other."""

import csv
import io
from datetime import datetime

from batchapp.domain import csv_list
from batchapp.models import REALTIME, Connection
from batchapp.providers.client import ProviderClient


def fetch(connection: Connection, provider: ProviderClient, at: datetime) -> str:
    """Fetch the tariffs for the windows of ``connection``, and return them as CSV.

    Raises:
        ProviderError: the key may not read prices, or the provider gave no usable answer.
    """
    windows = connection.windows if isinstance(connection.windows, list) else []
    source = f"{connection}, its own tariffs of {at:%-d %B %Y}"[:200]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["model", "window", "input_usd", "output_usd", "source"])
    for tariffs in provider.list_tariffs():
        for window in (*windows, REALTIME):
            if tariff := tariffs.price(window):
                cells = [tariffs.model, window, f"{tariff.input:f}", f"{tariff.output:f}", source]
                writer.writerow([csv_list.escape_formula(cell) for cell in cells])
    return text.getvalue()
