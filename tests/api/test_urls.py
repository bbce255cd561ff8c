"""Each route of the API: its address, and the scope that it takes."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.checks.urls import check_resolver
from django.test import Client
from django.urls import URLResolver
from django.urls.resolvers import RoutePattern

from batchapp.api.openapi_document import document
from batchapp.api.scopes import ALL, IN_DOCUMENT, Scope
from batchapp.models import Project, User
from tests.make import OWNER, bearer, join, make_portal_key, make_user
from tests.variables import ROOT

# The scope below that of an operation.
BELOW = {scope.value: ALL[number - 1] for number, scope in enumerate(ALL) if number}

UNUSED_ID = 32 * "0"


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and description of each operation in the OpenAPI document."""
    return [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def address(path: str) -> str:
    """Return an address of ``path`` at which there is nothing."""
    for name, value in (
        ("{file_id}", f"file-{UNUSED_ID}"),
        ("{batch_id}", f"batch_{UNUSED_ID}"),
        ("{response_id}", f"resp_{UNUSED_ID}"),
        ("{month}", "2000-01"),
    ):
        path = path.replace(name, value)
    return path.replace("{model}", "none")


def test_each_operation_says_which_scope_it_takes() -> None:
    for method, path, operation in operations():
        assert operation.get(IN_DOCUMENT) in Scope.values, (method, path)
        if method != "get":
            assert operation[IN_DOCUMENT] != Scope.READ, (method, path)


@pytest.mark.django_db
def test_a_key_of_a_lower_scope_gets_nothing_done(client: Client, project: Project) -> None:
    owner = join(make_user(), project, OWNER)
    secrets = {scope: make_portal_key(owner, project, scope=scope).secret for scope in ALL}

    for method, path, operation in operations():
        if lower := BELOW.get(operation[IN_DOCUMENT]):
            response = getattr(client, method)(address(path), headers=bearer(secrets[lower]))

            assert response.status_code == 403, (method, path)
            assert response.json()["error"]["code"] == "insufficient_scope"


@pytest.mark.django_db
def test_other_methods_are_refused_with_those_that_are_taken(
    client: Client, project: Project, user: User
) -> None:
    headers = bearer(make_portal_key(user, project).secret)

    for path, methods in document()["paths"].items():
        response = client.patch(address(path), headers=headers)

        taken = {method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set())
        assert response.status_code == 405, path
        assert set(response["Allow"].split(", ")) == taken
        assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.django_db
@pytest.mark.usefixtures("user")  # else the portal asks for the first one
def test_the_document_is_sent_to_everybody_and_once(client: Client) -> None:
    response = client.get("/v1/openapi.json")
    again = client.get("/v1/openapi.json", headers={"If-None-Match": response["ETag"]})

    assert response.status_code == 200
    assert json.loads(response.content)["openapi"].startswith("3.1")
    assert (again.status_code, again.content) == (304, b"")


def test_each_schema_has_a_name_of_its_own() -> None:
    """Of two with the same name, the document would have the last one in both places."""
    folder = ROOT / "batchapp/api"
    names = re.findall(
        r"^class (\w+)\(.*\):$", "".join(map(Path.read_text, folder.rglob("*.py"))), re.M
    )

    schemas = set(document()["components"]["schemas"])
    assert [name for name, times in Counter(names).items() if times > 1 and name in schemas] == []


def test_the_addresses_are_sound() -> None:
    # As Django's check does it for the pages.
    assert not check_resolver(URLResolver(RoutePattern("v1/"), "batchapp.api.urls"))


def test_commands_know_the_addresses_of_pages_without_the_libraries_of_the_api() -> None:
    script = (
        "import sys, django; django.setup()\n"
        "from django.core.management import call_command\n"
        "from django.urls import resolve, reverse\n"
        "call_command('check'); reverse('home')\n"
        "print({'ninja', 'pydantic'} & sys.modules.keys())\n"
        "print(resolve('/v1/models').view_name)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"},
    )

    assert done.stdout.splitlines()[-2:] == ["set()", "api:model_list"], done.stderr
