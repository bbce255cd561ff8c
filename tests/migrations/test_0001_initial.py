"""A portal goes back to the oldest version and comes forward again with its rows."""

from typing import Any

from django.apps import apps
from django.apps.registry import Apps
from django.db import connection

from batchapp.models import Event, Membership, ModelCost, ProviderKey, Result
from tests.full_portal import fill_portal
from tests.migrations.conftest import Migrate
from tests.migrations.snapshots import VERSIONS


def test_the_way_back_and_forward_again_keeps_the_schema_and_what_was_there_at_first(
    migrate: Migrate,
) -> None:
    fill_portal()
    Event.objects.all().delete()  # while there are events, 0003_facts refuses the way back
    schema, numbers, values = schema_now(), numbers_of_rows(apps), values_now()

    oldest = numbers_of_rows(migrate(VERSIONS[0]))

    assert oldest["Result"] == 3
    of_both = oldest.keys() & numbers.keys()
    assert {name: oldest[name] for name in of_both} == {name: numbers[name] for name in of_both}

    migrate("newest")

    assert schema_now() == schema
    assert values_now() == values
    now = numbers_of_rows(apps)
    assert {name: now[name] for name in of_both} == {name: numbers[name] for name in of_both}


def schema_now() -> dict[str, Any]:
    """Return table -> columns and constraints; the order of both differs after the way back."""
    tables = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            columns = connection.introspection.get_table_description(cursor, table)
            constraints = connection.introspection.get_constraints(cursor, table)
            tables[table] = {column.name: column for column in columns}, constraints
    return tables


def numbers_of_rows(models: Apps) -> dict[str, int]:
    """Return model -> number of its rows."""
    return {
        model.__name__: model._default_manager.count()
        for model in models.get_models()
        if model._meta.app_label == "batchapp"
    }


def values_now() -> list[Any]:
    """Return values that older versions kept in other columns or under other names."""
    results = Result.objects.order_by("batch", "line")
    return [
        list(results.values_list("custom_id", "outcome", "input_tokens", "output_tokens")),
        list(Membership.objects.order_by("pk").values_list("user", "project", "role")),
        list(ModelCost.objects.order_by("pk").values_list("unit_price", "cost_usd")),
        [key.secret() for key in ProviderKey.objects.order_by("pk")],
    ]
