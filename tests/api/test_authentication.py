"""A portal key is taken from the header alone, and a wrong one learns nothing."""

import json
import logging
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Project, User
from batchapp.services.portal_keys import portal_keys
from tests.make import (
    bearer,
    finish,
    join,
    make_batch,
    make_portal_key,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db

MODELS = "/v1/models"


def wrong_secrets(project: Project) -> dict[str, str]:
    """Return a secret that opens nothing, for each reason."""
    person = join(make_user(), project)
    ended = make_portal_key(person, project)
    portal_keys.rotate(ended.key, person, hours=0, current=ended.key.secrets.get().pk)
    revoked = make_portal_key(person, project)
    portal_keys.revoke([revoked.key], person)
    yesterday = timezone.now() - timedelta(days=1)
    former, gone = join(make_user(), project), join(make_user(), project)
    of_former, of_gone = make_portal_key(former, project), make_portal_key(gone, project)
    former.memberships.all().delete()
    User.objects.filter(pk=gone.pk).update(is_active=False)
    return {
        "unknown": "ba_" + 43 * "x",
        "rotated": ended.secret,
        "revoked": revoked.secret,
        "expired": make_portal_key(person, project, expires_at=yesterday).secret,
        "former member": of_former.secret,
        "deactivated": of_gone.secret,
        "cut": make_portal_key(person, project).secret[:-1],
        "longer": make_portal_key(person, project).secret + "x",
        "provider key": "sk-test-000000001234",
        "empty": "",
        "not ASCII": "ba_é☃",
        "long": "ba_" + 1_000_000 * "x",
        "zero": "ba_\x00",
        "several": "ba_x, Bearer ba_y",
    }


def test_a_key_that_opens_nothing_is_answered_alike_whatever_the_reason(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = finish(make_batch(project))
    secrets = wrong_secrets(project)
    answers = set()

    for secret in secrets.values():
        for url in (MODELS, f"/batches/{batch.pk}/output.jsonl", "/", "/nowhere", "/profile/"):
            # Each reason takes the same one query.
            with django_assert_num_queries(1):
                response = client.get(url, headers=bearer(secret))
            answers.add((response.status_code, response["WWW-Authenticate"], response.content))

    ((status, challenge, body),) = answers
    assert (status, challenge) == (401, 'Bearer realm="Batchapp"')
    error = json.loads(body)["error"]
    assert error["code"] == "invalid_api_key"
    assert error["type"] == "invalid_request_error"
    assert error["param"] is None
    assert error["message"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_written_in_any_case(
    client: Client, project: Project, user: User, scheme: str
) -> None:
    secret = make_portal_key(user, project).secret

    response = client.get(MODELS, headers={"Authorization": f"{scheme} {secret}"})

    assert response.status_code == 200


def test_a_key_counts_in_the_header_alone(client: Client, project: Project, user: User) -> None:
    secret = make_portal_key(user, project).secret
    client.cookies["key"] = client.cookies["sessionid"] = secret

    for response in (
        client.get(MODELS, {"key": secret, "api_key": secret, "access_token": secret}),
        client.post(MODELS, {"Authorization": f"Bearer {secret}"}),
        client.get(MODELS, headers={"X-Api-Key": secret, "Proxy-Authorization": secret}),
        client.get(MODELS, headers={"Authorization": f"Basic {secret}"}),
    ):
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "missing_api_key"


def test_the_api_takes_no_session(browser: Client, project: Project) -> None:
    assert browser.get("/").status_code == 200
    assert browser.get(MODELS).status_code == 401


def test_a_request_with_a_session_and_a_key_is_the_keys(
    browser: Client, project: Project, user: User
) -> None:
    """``browser`` is signed in as the person of the first batch."""
    own = finish(make_batch(project, user))
    colleague = make_user()
    theirs = finish(make_batch(make_project(colleague), colleague))
    secret = make_portal_key(colleague, theirs.project).secret

    assert browser.get(f"/batches/{own.pk}/output.jsonl").status_code == 200
    by_key = browser.get(f"/batches/{own.pk}/output.jsonl", headers=bearer(secret))
    assert by_key.status_code == 404
    response = browser.get(f"/batches/{theirs.pk}/output.jsonl", headers=bearer(secret))
    assert response.status_code == 200
    assert not response.cookies
    assert "Authorization" in response["Vary"]
    assert "private" in response["Cache-Control"]
    assert browser.get("/").status_code == 200  # the session goes on


def test_a_key_needs_no_csrf_token_and_a_session_does(project: Project, user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    secret = make_portal_key(user, project).secret
    batch = make_batch(project, user)

    by_key = client.post(MODELS, headers=bearer(secret))
    client.force_login(user)
    by_session = client.post(f"/batches/{batch.pk}/cancel/")
    with_wrong_key = client.post(f"/batches/{batch.pk}/cancel/", headers=bearer("ba_x"))

    assert (by_key.status_code, by_key["Allow"]) == (405, "GET, HEAD")
    assert by_key.json()["error"]["code"] == "method_not_allowed"
    assert by_session.status_code == 403
    assert with_wrong_key.status_code == 401
    batch.refresh_from_db()
    assert batch.cancel_requested_at is None


@pytest.mark.parametrize("path", ["/batches", "/v1/nothing", "/v1/", "/nowhere/", "/admin/"])
def test_an_address_without_a_door_is_an_error_of_the_api_and_no_redirect(
    client: Client, project: Project, user: User, path: str
) -> None:
    secret = make_portal_key(user, project).secret

    response = client.get(path, headers=bearer(secret))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_without_a_key_the_api_asks_for_one_at_every_address(client: Client) -> None:
    for path in (MODELS, "/v1/nothing", f"/v1/{uuid.uuid4()}"):
        assert client.get(path).json()["error"]["code"] == "missing_api_key"


def test_a_key_is_in_no_log(
    client: Client, project: Project, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    secret = make_portal_key(user, project).secret
    caplog.set_level(logging.DEBUG)

    for sent in (secret, secret[:-1] + "é", "ba_" + 43 * "y"):
        for path in (MODELS, "/v1/models/none", "/nowhere", "/profile/", "/batches/"):
            client.get(path, headers=bearer(sent))

    assert "Unauthorized" in caplog.text
    assert secret[:-1] not in caplog.text
    assert 43 * "y" not in caplog.text


def test_a_report_of_an_error_does_not_have_the_key(
    client: Client, project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.raise_request_exception = False
    secret = make_portal_key(user, project).secret
    seen = []

    def fail(request: object, **_: object) -> None:
        seen.append(repr(getattr(request, "META", "")))
        raise RuntimeError("broken")

    monkeypatch.setattr("batchapp.api.models._models", fail)

    response = client.get(MODELS, headers=bearer(secret))

    assert response.status_code == 500
    assert response.json()["error"]["type"] == "server_error"
    assert seen
    assert secret not in seen[0]
