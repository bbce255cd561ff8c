"""Single requests of before have a state."""

from django.utils import timezone

from batchapp.models import DirectRequest
from tests.migrations.conftest import Migrate


def test_requests_of_before_say_how_they_ended(migrate: Migrate) -> None:
    old = migrate("0050_direct_requests")
    create = old.get_model("batchapp", "DirectRequest").objects.create
    user = old.get_model("batchapp", "User").objects.create(email="ada@example.com")
    connection = old.get_model("batchapp", "Connection").objects.get()
    project = old.get_model("batchapp", "Project").objects.create(
        name="Support", slug="support", connection=connection
    )
    key = old.get_model("batchapp", "ProviderKey").objects.create(
        project=project, connection=connection, name="key"
    )
    now = timezone.now()
    for model, ended_at, status in [
        ("answered", now, 200),
        ("refused", now, 429),
        ("broken_off", now, None),
        ("sent", None, 202),
    ]:
        create(
            project=project,
            created_by=user,
            key=key,
            model=model,
            created_at=now,
            ended_at=ended_at,
            status_code=status,
        )

    migrate("newest")

    rows = DirectRequest.objects.values_list("model", "state")
    assert len(rows) == 4
    assert all(model == state for model, state in rows)
