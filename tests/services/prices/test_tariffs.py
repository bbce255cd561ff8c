"""The provider's own tariffs become a list like any other."""

from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.models import REALTIME
from batchapp.providers.client import connect
from batchapp.providers.tariffs import management_url
from batchapp.sandbox.settings import Settings
from batchapp.services.prices import price_lists, tariffs
from tests.make import make_connection
from tests.sandbox.processes import sandbox_thread

pytestmark = pytest.mark.django_db


def test_tariffs_of_the_windows_on_offer_are_compared_and_written(tmp_path) -> None:
    connection = make_connection(windows=["24h"])
    now = timezone.now()
    with (
        sandbox_thread(Settings(data=tmp_path)) as url,
        connect(management_url(url), "pk-1") as provider,
    ):
        text = tariffs.fetch(connection, provider, now)

    difference = price_lists.compare(connection, text, timezone.now())
    price_lists.apply(connection, OPERATOR, text, fingerprint=difference.fingerprint)

    assert difference.bad == []
    assert {line.window for line in difference.new} == {"24h", REALTIME}
    row = connection.prices.get(model="Qwen/Qwen3.5-9B", window="24h")
    assert (row.input_usd, row.output_usd) == (Decimal("0.03"), Decimal("0.29"))
    assert row.source == f"{connection}, its own tariffs of {now:%-d %B %Y}"
