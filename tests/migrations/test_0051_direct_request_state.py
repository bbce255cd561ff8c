"""Single requests of before have a state."""

from django.utils import timezone

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0050_direct_requests", "0051_direct_request_state"


def test_requests_of_before_say_how_they_ended(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    now = timezone.now()
    of_project = {"project": old.project, "created_by": old.user, "key": old.key}
    for state, ended_at, status in [
        ("answered", now, 200),
        ("refused", now, 429),
        ("broken_off", now, None),
        ("sent", None, 202),
    ]:
        end = {"ended_at": ended_at, "status_code": status}
        old.create("DirectRequest", **of_project, **end, model=state, created_at=now)

    new = Rows(migrate(AFTER))

    rows = new.model("DirectRequest").objects.values_list("model", "state")
    assert len(rows) == 4
    assert all(model == state for model, state in rows)
