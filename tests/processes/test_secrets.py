"""No secret of a whole run is in the log, in the database or in a file of the portal."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from batchapp.management.console_client import ConsoleClient, _form_values
from tests.processes.portal import PASSWORD, Portal, portal, until

pytestmark = [pytest.mark.processes]

SAMPLE = Path(__file__).resolve().parent.parent.parent / "batchapp/data/samples/tools.jsonl"
PROVIDER_KEY = "sk-of-a-whole-run-4711"
PLATFORM_KEY = "dw-platform-of-a-whole-run-0815"
ALL_ROWS = """
from django.db import connection
with connection.cursor() as cursor:
    for table in connection.introspection.table_names(cursor):
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
        print(cursor.fetchall())
"""
# Where secrets are kept, and where the simulated provider keeps what was sent to it.
LEFT_OUT = ("secrets", "sandbox", "static")


@pytest.fixture(scope="module")
def verbose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A portal that logs as much as it can."""
    data_dir = tmp_path_factory.mktemp("verbose")
    with portal(data_dir, speed=50, LOG_LEVEL="DEBUG") as it:
        yield it


def test_no_secret_of_a_whole_run_is_written_anywhere(verbose: Portal) -> None:
    facts = verbose.bootstrap(key=PROVIDER_KEY)
    connection = facts["connection"]["id"]
    with ConsoleClient(verbose.url) as console:
        console.sign_in("ana@example.com", PASSWORD)
        session = console._http.cookies["sessionid"]
        page = f"/administration/connections/{connection}/"
        console._post(f"{page}platform-key/", data={"secret": PLATFORM_KEY})
        console._post(f"{page}test/")
        console._get("/administration/system/")
        keys = "/projects/demo/portal-keys/new/"
        values = _form_values(console._get(keys).text) | {"name": "A script"}
        revealed = console._post(keys, data=values).text
        (portal_key,) = set(re.findall(r"\bba_[\w-]{30,}", revealed))
        console._post("/password/reset/", data={"email": "ana@example.com"})
        link = {"action": "link", "role": "viewer", "days": "7"}
        invited = console._post("/projects/demo/members/invitations/", data=link).text
        (invitation,) = set(re.findall(r"/invitations/([\w-]{30,})", invited))
        address = f"{verbose.url}/invitations/{invitation}/"
        assert "Make your account" in httpx.get(address, timeout=60).text
        webhook = {"name": "Nightly", "format": "standard", "address": "https://example.com/x"}
        page = "/projects/demo/webhooks/new/"
        made = console._post(page, data=webhook | {"events": "batch_finished"}).text
        (webhook_secret,) = set(re.findall(r"\bwhsec_[\w+/=]+", made))
        console._post("/sign-in/again/", data={"password": PASSWORD})
        app = console._get("/profile/second-factor/app/").text
        (app_secret,) = set(re.findall(r"\b[A-Z2-7]{32}\b", app))
        code = format_hotp_value(hotp_value(app_secret, int(time.time()) // 30))
        console._post("/profile/second-factor/app/", data={"code": code})
        codes = console._get("/profile/second-factor/codes/codes.txt").text.split()
    done = verbose.manage("run", str(SAMPLE), "--project", "demo", "--wait", "--json")
    assert '"completed"' in done.stdout
    until(lambda: any(" DEBUG " in line for line in verbose.log), "a line of DEBUG", verbose.tail)
    data_dir = Path(verbose.env["DATA_DIR"])

    secrets = {
        "provider key": PROVIDER_KEY,
        "platform key": PLATFORM_KEY,
        "password": PASSWORD,
        "encryption key": (data_dir / "secrets/encryption_keys").read_text().strip(),
        "secret key": (data_dir / "secrets/secret_key").read_text().strip(),
        "portal key": portal_key,
        "invitation": invitation,
        "webhook secret": webhook_secret,
        "second factor": app_secret,
        "recovery code": codes[0],
    }
    assert all(secrets.values())
    stored = verbose.manage("shell", "--no-imports", "--command", ALL_ROWS).stdout
    assert "ana@example.com" in stored
    log = "\n".join(verbose.log)
    places = {"log": log.encode(), "database": stored.encode()} | {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and path.relative_to(data_dir).parts[0] not in LEFT_OUT
    }
    spilled = [
        (name, place)
        for name, secret in secrets.items()
        for place, content in places.items()
        if secret.encode() in content
    ]
    assert spilled == []
    assert session not in log
    assert not re.search(r"/password/reset/\w+-\w+/", log)
