"""Stored keys of one owner that had the same name get different ones, the oldest keeps it."""

from batchapp.models import ProviderKey
from tests.make import make_connection, make_key, make_project, make_user
from tests.migrations.conftest import Migrate

BEFORE = "0024_roles"
LONG = 100 * "n"


def test_later_keys_of_a_name_get_a_number(migrate: Migrate) -> None:
    user, other = make_user(), make_user()
    keys = [make_key(user, make_connection()) for _ in range(4)]
    of_project, removed = make_key(make_project()), make_key(user, make_connection())
    long = [make_key(other, make_connection()) for _ in range(2)]
    pks = [key.pk for key in (*keys, of_project, removed, *long)]
    names = ["Main", "Main", "Main 2", "Main", "Main", "Main", LONG, LONG]
    old = migrate(BEFORE).get_model("batchapp", "ProviderKey").objects
    for pk, name in zip(pks, names, strict=True):
        old.filter(pk=pk).update(name=name)
    old.filter(pk=removed.pk).update(ciphertext="")

    migrate("newest")

    renamed = dict(ProviderKey.objects.values_list("pk", "name"))
    assert [renamed[pk] for pk in pks] == [
        *("Main", "Main 3", "Main 2", "Main 4", "Main", "Main"),
        *(LONG, f"{98 * 'n'} 2"),
    ]
