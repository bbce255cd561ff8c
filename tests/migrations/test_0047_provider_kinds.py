"""Connections do what they did, now that it depends on the kind of their provider."""

from batchapp.models import Connection
from tests.make import make_connection
from tests.migrations.conftest import Migrate

BEFORE = "0046_outgoing_email_claim"
DOUBLEWORD, OTHER = ("doubleword", True, True), ("", True, True)


def test_connections_do_what_they_did(migrate: Migrate) -> None:
    old = migrate(BEFORE)
    create = old.get_model("batchapp", "Connection").objects.create
    create(name="hosted", base_url="https://api.doubleword.ai")
    create(name="sandbox", base_url="http://localhost:8001", is_sandbox=True)
    create(name="own", base_url="https://control.acme.test/ai", platform_ciphertext="x")
    create(name="limited", base_url="https://eu.doubleword.ai/", has_retry=False)
    create(name="plain", base_url="https://api.acme.test", has_partial_results=False)
    create(name="versions", base_url="https://acme.test/v2/proxy/")

    migrate("newest")

    rows = {row.name: row for row in Connection.objects.exclude(name="Doubleword")}
    abilities = {
        name: (row.kind, row.capabilities.partial_results, row.capabilities.retry_in_place)
        for name, row in rows.items()
    }
    assert abilities == {
        "hosted": DOUBLEWORD,
        "sandbox": DOUBLEWORD,
        "own": DOUBLEWORD,
        "limited": ("doubleword", True, False),
        "plain": ("", False, True),
        "versions": OTHER,
    }
    assert rows["hosted"].has_retry is None
    assert rows["versions"].api_address == "https://acme.test/v2/proxy/v1"
    assert make_connection().capabilities.pause
