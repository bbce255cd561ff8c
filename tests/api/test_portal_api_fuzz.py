"""The API, called with whatever its OpenAPI document allows, and with what it does not."""

from collections.abc import Iterator

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from batchapp.models import Project
from tests.make import OWNER, bearer, finish, join, make_batch, make_portal_key, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

EXAMPLES = 12  # of each operation; more find nothing new within the time of a test
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
limited = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def lasting_connection() -> Iterator[None]:
    """Keep the connection of the test between requests, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("lasting_connection")
def test_no_call_fails_or_answers_what_the_document_does_not_say(project: Project) -> None:
    owner = join(make_user(), project, OWNER)
    finish(make_batch(project, user=owner))
    headers = bearer(make_portal_key(owner, project, scope="manage").secret)
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", get_wsgi_application())
    tried = []

    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @limited
            @given(case=operation.as_strategy(generation_mode=mode))
            def call(case: schemathesis.Case) -> None:
                # Closed once it was read, as by a web server, and with it the files sent.
                response = case.call(headers=headers, buffered=True)
                case.validate_response(response, checks=CHECKS)

            call()
        tried.append(operation.label)

    assert "POST /v1/files" in tried
