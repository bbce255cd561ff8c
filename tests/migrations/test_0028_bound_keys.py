"""Stored keys are bound to the address of their connection, and can be read before and after."""

from cryptography.fernet import Fernet
from django.conf import LazySettings

from batchapp.models import Connection, ProviderKey
from batchapp.models.fields.encryption import seal, unseal
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0027_accounts", "0028_bound_keys"
SECRET = "sk-before-the-binding-0001"
SECRET_OF_PLATFORM = "sk-platform-0001"


def test_keys_are_usable_after_and_before(migrate: Migrate, settings: LazySettings) -> None:
    usual, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, [Fernet.generate_key()]
    lost = seal(SECRET)
    settings.ENCRYPTION_KEYS = usual
    old = Rows(migrate(BEFORE))
    old.connection.platform_ciphertext = seal(SECRET_OF_PLATFORM)
    old.connection.save()
    of_project = {"project": old.project, "connection": old.connection}
    pk, unreadable = (
        old.create("ProviderKey", **of_project, name=name, ciphertext=text).pk
        for name, text in (("readable", seal(SECRET)), ("unreadable", lost))
    )

    migrate(AFTER)

    keys = ProviderKey.objects.only("ciphertext", "connection__base_url")
    keys = keys.select_related("connection")
    connections = Connection.objects.only("base_url", "platform_ciphertext")
    assert keys.get(pk=pk).secret() == SECRET
    assert connections.get(name="Acme").platform_key() == SECRET_OF_PLATFORM
    assert keys.get(pk=unreadable).ciphertext == lost

    old = Rows(migrate(BEFORE))

    assert unseal(old.model("ProviderKey").objects.get(pk=pk).ciphertext) == SECRET
    acme = old.model("Connection").objects.get(name="Acme")
    assert unseal(acme.platform_ciphertext) == SECRET_OF_PLATFORM
    assert old.model("ProviderKey").objects.get(pk=unreadable).ciphertext == lost
