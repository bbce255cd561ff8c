"""Following a batch from a script, while the services come and go."""

from io import StringIO
from typing import Any

import pytest
from django.db import OperationalError, connection

from batchapp.management.commands import run
from tests.make import finish, make_batch


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "LOOK_EVERY", 0)
    batch = finish(make_batch())
    err = StringIO()
    failures = iter([OperationalError("the server closed the connection")])

    def fail_once(execute: Any, *args: Any) -> Any:
        for failure in failures:
            raise failure
        return execute(*args)

    with connection.execute_wrapper(fail_once):
        found = run.Command(stderr=err)._follow(batch)

    assert found.is_accounted_for
    assert "the database does not answer" in err.getvalue()
