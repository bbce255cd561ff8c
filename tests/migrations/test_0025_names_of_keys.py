"""Stored keys of one owner that had the same name get different ones, the oldest keeps it."""

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0024_roles", "0025_names_of_keys"
LONG = 100 * "n"


def test_later_keys_of_a_name_get_a_number(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))

    def make_key(name: str, **fields: object) -> int:
        stored = {"connection": old.connection, "name": name, "ciphertext": "stored"}
        pk: int = old.create("ProviderKey", **stored | fields).pk
        return pk

    other = old.make_user()
    pks = [
        *(make_key(name, user=old.user) for name in ("Main", "Main", "Main 2", "Main")),
        make_key("Main", project=old.project),
        make_key("Main", user=old.user, ciphertext=""),
        *(make_key(LONG, user=other) for _ in range(2)),
    ]

    new = Rows(migrate(AFTER))

    renamed = dict(new.model("ProviderKey").objects.values_list("pk", "name"))
    assert [renamed[pk] for pk in pks] == [
        *("Main", "Main 3", "Main 2", "Main 4", "Main", "Main"),
        *(LONG, f"{98 * 'n'} 2"),
    ]
