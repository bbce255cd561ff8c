"""The page of costs before there is anything to count."""

import pytest
from django.test import Client

from tests.html import page_of
from tests.make import make_administrator

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_without_batches_there_is_no_chart(client: Client) -> None:
    client.force_login(make_administrator())

    assert not page_of(client, "/report/").all("figure")
