"""Fetch a provider's own tariffs as a price list, which can be compared like any other."""

import csv
import io
from datetime import datetime

from batchapp.domain import csv_list
from batchapp.domain.money.price_cells import COMPONENTS, component_cells
from batchapp.models import REALTIME, Connection
from batchapp.providers.base import Management
from batchapp.providers.tariffs import ModelTariffs


def fetch(connection: Connection, platform: Management, at: datetime) -> str:
    """Fetch the tariffs for the windows of ``connection``, and return them as CSV.

    Raises:
        ProviderError: the key may not read prices, or the provider gave no usable answer.
    """
    windows = connection.windows if isinstance(connection.windows, list) else []
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ["model", "window", "input_usd", "output_usd", *COMPONENTS, "currency", "source"]
    writer.writerow(columns)
    for tariffs in platform.list_tariffs():
        source = _source(connection, tariffs, at)
        for window in (*windows, REALTIME):
            if tariff := tariffs.price(window):
                price = tariffs.unit_price(tariff, at)
                amounts = f"{price.input:f}", f"{price.output:f}"
                cells = [tariffs.model, window, *amounts, *component_cells(price).values()]
                cells += [tariff.currency, source]
                writer.writerow([csv_list.escape_formula(cell) for cell in cells])
    return text.getvalue()


def _source(connection: Connection, tariffs: ModelTariffs, at: datetime) -> str:
    """Return where the prices are from, and how long those of cached tokens are valid."""
    source = f"{connection}, its own tariffs of {at:%-d %B %Y}"
    cache = tariffs.cache
    if cache and cache.is_valid(at) and cache.valid_until:
        source += f", cached until {cache.valid_until:%-d %B %Y}"
    return source[:200]
