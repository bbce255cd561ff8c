"""Which addresses open to a portal key, for every address of the portal, also those to come."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from batchapp.api.authentication import DOORS
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.services.archive import purge
from batchapp.services.portal_keys import portal_keys
from batchapp.services.tables import requests_from_table
from batchapp.urls import urlpatterns
from tests.answered import make_export
from tests.make import (
    OWNER,
    bearer,
    build_columns,
    finish,
    join,
    make_batch,
    make_import,
    make_key,
    make_portal_key,
    make_project,
    make_service_key,
    make_table,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db

VALID = ["read", "submit", "manage", "service"]
FOR_OWNERS = {"project_audit_csv", "statement_csv"}  # doors for keys that may manage
USELESS = [("expired", "get"), ("revoked", "get"), ("rotated away", "post")]


def named(pattern: URLPattern) -> str:
    return str(pattern.name)


@pytest.fixture(scope="module")
def world(module_rows: None) -> SimpleNamespace:
    """One row of each noun in one project, and a key of each kind."""
    owner = join(make_user(), make_project(name="Their secret project"), OWNER)
    project = owner.memberships.get().project
    upload = make_upload(project)
    batch = finish(make_batch(project, upload=upload))
    other = finish(make_batch(project, upload=upload))
    for row in (batch, other):
        build_columns(row)
    template = requests_from_table.save_template(
        project, owner, "Triage", PromptSettings(model="m", prompt="{text}")
    ).template
    rows = {
        "projects": project,
        "files": upload,
        "batches": batch,
        "exports": make_export(batch),
        "keys": make_key(project),
        "portal-keys": make_portal_key(owner, project).key,
        "tables": make_table(project),
        "imports": make_import(project),
        "prompt-templates": template,
    }
    secrets = {
        scope: make_portal_key(owner, project, scope=scope).secret
        for scope in ("read", "submit", "manage")
    }
    secrets["service"] = make_service_key(project, scope="submit").secret
    yesterday = timezone.now() - timedelta(days=1)
    secrets["expired"] = make_portal_key(
        owner, project, scope="manage", expires_at=yesterday
    ).secret
    revoked = make_portal_key(owner, project, scope="manage")
    portal_keys.revoke([revoked.key], owner)
    secrets["revoked"] = revoked.secret
    rotated = make_portal_key(owner, project, scope="manage")
    portal_keys.rotate(rotated.key, owner, hours=0, current=rotated.key.secrets.get().pk)
    secrets["rotated away"] = rotated.secret
    # The same person owns another project, to which these keys do not belong.
    elsewhere = join(owner, make_project(), OWNER).memberships.latest("pk").project
    secrets["foreign"] = make_portal_key(owner, elsewhere, scope="manage").secret
    return SimpleNamespace(
        rows=rows, secrets=secrets, batches=[batch, other], project=project, owner=owner
    )


def address(pattern: URLPattern, world: SimpleNamespace) -> str:
    """Return the address of a row of ``world``; of a noun that it has not, any address."""
    noun = world.rows.get(str(pattern.pattern).split("/")[0], world.project)
    known: dict[str, Any] = {"pk": noun.pk, "slug": getattr(noun, "slug", "")}
    known |= {"member": world.project.memberships.first().pk}
    this_month = timezone.localdate().replace(day=1)
    possible = [*("1", "output", "cost"), uuid.uuid4()]
    values = {}
    for name, converter in pattern.pattern.converters.items():
        candidates = [known[name], *possible] if name in known else possible
        if name == "month":
            values[name] = this_month
            continue
        values[name] = next(
            value for value in candidates if re.fullmatch(converter.regex, str(value))
        )
    return reverse(named(pattern), kwargs=values)


def asked(client: Client, url: str, secret: str, world: SimpleNamespace, method: str) -> Any:
    """Return the response, with its body read."""
    send: Callable[..., Any] = getattr(client, method)
    data = {"b": [str(batch.pk) for batch in world.batches], "sandbox": "on"}
    response = send(url, data, headers=bearer(secret))
    if response.streaming:
        response.body = b"".join(response)
    else:
        response.body = response.content
    return response


def test_no_address_lets_a_key_in_but_the_doors(client: Client, world: SimpleNamespace) -> None:
    for pattern in urlpatterns:
        url = address(pattern, world)
        is_door = pattern.name in DOORS
        # Before any other address, the kind of the key does not matter.
        for kind in VALID if is_door else ("manage", "service"):
            for method in ("get", "post"):
                response = asked(client, url, world.secrets[kind], world, method)
                case = (pattern.name, kind, method, response.body)
                wanted = {"get": 200, "post": 405}[method] if is_door else 404
                if pattern.name in FOR_OWNERS and kind != "manage" and method == "get":
                    wanted = 403
                assert response.status_code == wanted, case
                if response.status_code != 200:
                    error = response.json()["error"]
                    assert set(error) == {"message", "type", "param", "code"}, case
                assert not response.cookies, case
                assert b"<html" not in response.body, case


def test_a_key_of_another_project_learns_nothing(client: Client, world: SimpleNamespace) -> None:
    # Of the key's own project.
    own = {"cost_report_csv", "cross_tab_csv"}

    for pattern in urlpatterns:
        response = asked(client, address(pattern, world), world.secrets["foreign"], world, "get")
        case = (pattern.name, response.body)
        assert response.status_code == (200 if pattern.name in own else 404), case
        for row in world.rows.values():
            assert str(row.pk).encode() not in response.body, case
        assert b"Their secret project" not in response.body, case


def test_a_key_that_has_ended_opens_nothing(client: Client, world: SimpleNamespace) -> None:
    for pattern in urlpatterns:
        url = address(pattern, world)
        answers = {
            (response.status_code, response.body)
            for kind, method in USELESS
            for response in [asked(client, url, world.secrets[kind], world, method)]
        }
        assert len(answers) == 1, (pattern.name, answers)
        ((status, body),) = answers
        assert status == 401, pattern.name
        assert b"invalid_api_key" in body, pattern.name


def test_every_door_is_an_address() -> None:
    assert {pattern.name for pattern in urlpatterns} >= DOORS


def test_a_key_downloads_what_its_project_has(client: Client, world: SimpleNamespace) -> None:
    batch, secret = world.batches[0], world.secrets["read"]
    export = world.rows["exports"]

    results, merged, table, report = (
        asked(client, url, secret, world, "get")
        for url in (
            f"/batches/{batch.pk}/output.jsonl",
            f"/batches/{batch.pk}/merged.jsonl",
            f"/exports/{export.pk}/download/",
            "/report/batches.csv",
        )
    )

    assert results.body.count(b"\n") == merged.body.count(b"\n") == 3
    assert results["Content-Disposition"].startswith("attachment; filename=")
    assert results["Cache-Control"] == "private, no-store"
    assert len(table.body) == export.size
    assert report.body.count(b"Their secret project") == 2
    for url in (f"/batches/{batch.pk}/output.jsonl", "/report/batches.csv"):
        head = asked(client, url, secret, world, "head")
        assert (head.status_code, head.body) == (200, b"")


def test_the_report_of_a_key_is_of_its_project_whoever_the_person_is(
    client: Client, world: SimpleNamespace
) -> None:
    person = join(make_user(is_superuser=True, is_staff=True), make_project(), OWNER)
    project = person.memberships.get().project
    finish(make_batch(project))
    secret = make_portal_key(person, project, scope="manage").secret

    body = asked(client, "/report/batches.csv", secret, world, "get").body

    assert body.count(project.name.encode()) == 1
    assert b"Their secret project" not in body


def test_a_wrong_parameter_and_deleted_content_have_errors_of_their_own(
    client: Client, world: SimpleNamespace
) -> None:
    secret, batch = world.secrets["read"], world.batches[0]
    wrong = client.get("/report/batches.csv?first=2026-13-01", headers=bearer(secret))
    assert purge.purge_now(batch, world.owner)
    deleted = client.get(f"/batches/{batch.pk}/output.jsonl", headers=bearer(secret))

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "bad_request")
    assert (deleted.status_code, deleted.json()["error"]["code"]) == (410, "deleted")


@pytest.mark.parametrize("field", ["user", "portal_key", "project", "scope", "key"])
def test_no_parameter_makes_a_key_more_than_it_is(
    client: Client, world: SimpleNamespace, field: str
) -> None:
    url = f"/batches/{world.batches[0].pk}/output.jsonl"

    for value in (str(world.project.pk), "manage", world.secrets["manage"]):
        response = client.get(
            url, {field: value}, headers=bearer(world.secrets["foreign"]) | {"X-User": value}
        )
        assert response.status_code == 404
