"""Every list and page of the admin, with values in its address that no page of ours writes."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from tests.make import make_batch, make_user

pytestmark = pytest.mark.django_db

HUGE = "9" * 30
HOSTILE = [HUGE, "abc", "\x00", "1e400"]
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)


@pytest.fixture
def desk(client: Client) -> Client:
    make_batch()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    return client


def url_of(model: type[Model], page: str, *args: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def failures(desk: Client, urls: list[str]) -> list[str]:
    return [url for url in urls if desk.get(url).status_code >= 500]


@each_model
def test_no_value_of_a_filter_is_an_error(desk: Client, model: type[Model]) -> None:
    columns, pk = model._meta.fields, model._meta.pk.name
    names = [column.name for column in columns]
    queries = [f"{name}={HUGE}" for name in names]
    queries += [f"{name}={quote(chr(0))}" for name in names if name in {"name", "model", "email"}]
    queries += [f"{pk}__{lookup}={value}" for lookup in ("in", "gt") for value in (HUGE, "abc")]
    queries += [f"{column.name}__id__exact={HUGE}" for column in columns if column.is_relation]
    queries += [f"{name}__year={HUGE}" for name in names if name == "created_at"]

    assert failures(desk, [f"{url_of(model, 'changelist')}?{query}" for query in queries]) == []


@each_model
def test_no_parameter_of_a_list_is_an_error(desk: Client, model: type[Model]) -> None:
    url = url_of(model, "changelist")
    queries = [f"{name}={HUGE}" for name in ("p", "all", "_to_field")]
    queries += [f"o={HUGE}", "o=abc", f"q={quote(chr(0))}", f"_facets={HUGE}"]

    assert failures(desk, [f"{url}?{query}" for query in queries]) == []


@each_model
def test_no_id_in_an_address_is_an_error(desk: Client, model: type[Model]) -> None:
    pages = [("change", value) for value in HOSTILE] + [("delete", HUGE), ("history", HUGE)]

    assert failures(desk, [url_of(model, page, value) for page, value in pages]) == []


def test_a_huge_number_matches_no_row(desk: Client) -> None:
    page = desk.get(reverse("admin:batchapp_batch_changelist"), {"connection": HUGE})

    assert page.status_code == 200
    assert "0 batches" in page.content.decode().lower()


def test_only_administrators_enter(client: Client) -> None:
    for person in (make_user(), make_user(is_staff=True)):
        client.force_login(person)
        assert client.get("/admin/").status_code in {302, 403}
