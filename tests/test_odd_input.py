"""Forms that no page of ours made: odd values, wrong methods, forged and repeated."""

import itertools
import uuid

import pytest
from django.test import Client

from batchapp.models import (
    BatchImport,
    Membership,
    Project,
    ProviderKey,
    SavedView,
    Upload,
    User,
)
from batchapp.services.people import invitations
from tests.make import (
    OWNER,
    VIEWER,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_key,
    make_project,
    make_user,
)
from tests.provider import Provider
from tests.webhooks import SECRET

pytestmark = pytest.mark.django_db
XSS = "<img src=x onerror=alert(1)>"
ODD = ["", "-1", "1e9", "NaN", "inf", "\x00", "9" * 400, "\u202e1", XSS, "\u0661", "0x2", "2.0"]
ERRORS = [error_line(2)]
RESULTS = [
    *("q", "outcome", "attempts", "after", "before", "sort", "columns", "rows", "page", "line"),
    *("is.answer", "is.outcome", "no.source:x", "range.cost_usd", "range.line", "is.", "range."),
]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize(
    "field", ["outcomes", "error_code", "max_tokens_factor", "model", "temperature", "submission"]
)
def test_a_retry_is_made_of_what_the_form_offers_only(
    browser: Client, project: Project, user: User, woken: list[str], field: str, value: str
) -> None:
    batch = finish(make_batch(project, user), [answer_line(1)], ERRORS)
    before = Upload.objects.count()
    usual = {"outcomes": "provider_error", "max_tokens_factor": "1"}

    for more in ({}, {"preview": "1"}):
        response = browser.post(f"/batches/{batch.pk}/retry/", {**usual, field: value, **more})

        assert response.status_code in {200, 302}
        assert XSS not in response.content.decode()
    made = Upload.objects.count() - before
    assert made <= (1 if field != "outcomes" else 0)


@pytest.mark.parametrize("value", [*ODD, "x" * 20_000, " ".join(["a"] * 5_000)])
def test_ids_that_are_none_bring_nothing_in(
    browser: Client, project: Project, provider: Provider, woken: list[str], value: str
) -> None:
    key = make_key(project)

    response = browser.post(
        f"/projects/{project.slug}/batches/import/", {"key": str(key.pk), "batches": value}
    )

    assert response.status_code in {200, 302, 400}
    assert XSS not in response.content.decode()
    assert not BatchImport.objects.filter(remote_id__regex=r"[^\w.:-]").exists()


def test_ten_thousand_ids_are_refused(
    browser: Client, project: Project, provider: Provider, woken: list[str]
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(10_000)]
    for data in ({"batches": ids[:900]}, {"batches": ids}, {"ids": " ".join(ids)}):
        response = browser.post(
            f"/projects/{project.slug}/batches/import/",
            {"key": str(make_key(project).pk), **data},
        )
        assert response.status_code in {200, 400}
    assert not BatchImport.objects.exists()


@pytest.mark.parametrize("value", [*ODD, "whsec_", "whsec_!!!", "whsec_" + "A" * 100_000])
def test_secrets_that_are_none_are_not_stored(
    browser: Client, user: User, project: Project, value: str
) -> None:
    key = make_key(user, project.connection)

    response = browser.post(
        f"/keys/{key.pk}/webhook/", {"secret": value, "next": "//evil.example"}
    )

    assert response.status_code == 200
    assert "evil.example" not in response.content.decode()
    assert ProviderKey.objects.get(pk=key.pk).webhook_ciphertext == ""


def test_a_stored_secret_leads_nowhere_else(browser: Client, user: User, project: Project) -> None:
    key = make_key(user, project.connection)
    for where in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"):
        for data in ({"secret": SECRET}, {"action": "remove"}):
            response = browser.post(f"/keys/{key.pk}/webhook/", {**data, "next": where})
            assert (response.status_code, "evil" in response["Location"]) == (302, False)


@pytest.mark.parametrize("value", ODD)
def test_odd_addresses_are_pages_all_the_same(
    browser: Client, project: Project, user: User, provider: Provider, value: str
) -> None:
    # Each value comes under each name: for one value to the page, for the next to its part.
    headers = itertools.cycle([{}, {"HX-Request": "true"}])
    if ODD.index(value) % 2:
        next(headers)
    make_key(project)
    batch = finish(make_batch(project, user), [answer_line(1)], ERRORS)
    for path, names in (
        (f"/batches/{batch.pk}/results/", RESULTS),
        (f"/batches/{batch.pk}/results/1/", RESULTS),
        (f"/batches/{batch.pk}/results/distributions/", RESULTS),
        (f"/batches/{batch.pk}/unmatched/", ["after"]),
        (f"/projects/{project.slug}/batches/import/", ["after", "key"]),
        (f"/files/{batch.upload_id}/batch/window/", ["window", "fallback", "name", "submission"]),
        (f"/files/{batch.upload_id}/batch/review/", ["window", "fallback", "name", "submission"]),
    ):
        for name in names:
            response = browser.get(path, {name: value}, headers=next(headers))
            assert response.status_code in {200, 302, 404}, (path, name)
            assert XSS not in response.content.decode()


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1999-12-31"])
def test_a_day_outside_of_the_calendar_is_an_error_of_the_form(
    browser: Client, project: Project, user: User, day: str
) -> None:
    Membership.objects.filter(user=user).update(role=OWNER)
    for page in ("single-requests", "audit"):
        for name in ("first", "last"):
            response = browser.get(f"/projects/{project.slug}/{page}/", {name: day})

            assert response.status_code == 200, (page, name)
            assert "Choose days between 2000 and 2100." in response.content.decode()


def test_what_changes_something_wants_a_token(project: Project, user: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    batch = make_batch(project, user)
    for path in ("cancel", "pause", "resume", "retry-in-place", "retry", "try-again"):
        assert browser.post(f"/batches/{batch.pk}/{path}/").status_code == 403
    key = make_key(user, project.connection)
    assert browser.post(f"/keys/{key.pk}/webhook/", {"secret": SECRET}).status_code == 403
    assert browser.post(f"/projects/{project.slug}/batches/import/").status_code == 403


HUGE = "9" * 30


@pytest.mark.parametrize(
    "address",
    [
        f"/projects/support/members/{HUGE}/remove/",
        f"/prices/?connection={HUGE}",
        f"/prices/?page={HUGE}",
        f"/prices/add/?connection={HUGE}",
        f"/prices/correct/?price={HUGE}",
        f"/prices/end/?price={HUGE}",
        f"/prices/withdraw/?price={HUGE}",
        f"/prices/import/?connection={HUGE}",
        f"/prices/missing/?connection={HUGE}",
        f"/prices/prices.csv?connection={HUGE}",
        f"/models/?connection={HUGE}",
        f"/models/?page={HUGE}",
        f"/models/add/?connection={HUGE}",
        f"/models/edit/?model={HUGE}",
        f"/models/remove/?model={HUGE}",
        f"/models/import/?connection={HUGE}",
        f"/projects/new/?connection={HUGE}",
        f"/report/?connection={HUGE}",
        f"/batches/?page={HUGE}",
        f"/batches/?connection={HUGE}",
    ],
)
def test_a_number_that_no_column_holds_is_no_error(
    client: Client, project: Project, user: User, address: str
) -> None:
    user.is_staff = user.is_superuser = True
    user.save()
    project.memberships.update(role="owner")
    client.force_login(user)
    client.raise_request_exception = False

    for text in (address, address.replace(HUGE, f"-{HUGE}")):
        assert client.get(text).status_code in {200, 302, 404}


def test_a_huge_connection_in_a_form_is_an_invalid_choice(client: Client, user: User) -> None:
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)

    for path, data in (
        ("/projects/new/", {"name": "Huge", "connection": HUGE}),
        ("/prices/add/", {"connection": HUGE, "model": "m", "window": "24h"}),
        ("/models/add/", {"connection": HUGE, "model": "m"}),
        ("/prices/import/", {"action": "fetch", "live-connection": HUGE}),
    ):
        assert client.post(path, data).status_code == 200


def test_fields_that_a_form_does_not_have_give_nobody_a_right(
    browser: Client, project: Project, user: User
) -> None:
    other = make_project(victim := make_user(), role=OWNER)
    before = roles_of(user, victim)
    _, token = invitations.invite_to_project(other, victim, role=VIEWER, email="", days=7)
    account = {"password1": "a longer secret", "password2": "a longer secret"}
    forged = dict.fromkeys(("is_staff", "is_superuser", "is_auditor", "is_verified"), "1")
    forged |= dict.fromkeys(("user", "owner", "created_by", "members"), str(victim.pk))
    forged |= {"role": "owner", "project": str(other.pk), "id": str(other.pk), "pk": str(other.pk)}

    browser.post("/profile/", forged | {"action": "name", "first_name": "Ada"})
    browser.post("/saved-views/add/?status=failed", forged | {"name": "Failed"})
    browser.post("/projects/new/", forged | {"name": "Mine", "connection": project.connection_id})
    Client().post(f"/invitations/{token}/", forged | account | {"email": "new@example.com"})

    mine = Project.objects.get(name="Mine")
    (view,) = SavedView.objects.all()
    new = User.objects.get(email="new@example.com")
    assert (view.owner, view.project) == (user, None)
    assert roles_of(user, victim, new) == {*before, (user, mine, OWNER), (new, other, VIEWER)}
    assert not new.has_verified_address
    flags = User.objects.values_list("is_staff", "is_superuser", "is_auditor")
    assert set(flags) == {(False, False, False)}


def roles_of(*people: User) -> set[tuple[User, Project, str]]:
    rows = Membership.objects.filter(user__in=people)
    return {(row.user, row.project, row.role) for row in rows}
