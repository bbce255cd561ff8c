"""Stored keys are bound to the address of their connection, and can be read before and after."""

from cryptography.fernet import Fernet
from django.conf import LazySettings

from batchapp.models import Connection, ProviderKey
from batchapp.models.fields.encryption import unseal
from tests.make import make_connection, make_key, make_project
from tests.migrations.conftest import Migrate

BEFORE = "0027_accounts"
SECRET = "sk-before-the-binding-0001"


def test_keys_are_usable_after_and_before(migrate: Migrate, settings: LazySettings) -> None:
    connection = make_connection()
    connection.set_platform_key("sk-platform-0001")
    connection.save()
    key = make_key(make_project(connection=connection), secret=SECRET)
    usual, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, [Fernet.generate_key()]
    unreadable = make_key(make_project(connection=connection))
    settings.ENCRYPTION_KEYS = usual

    old = migrate(BEFORE)

    stored = old.get_model("batchapp", "ProviderKey").objects.get(pk=key.pk).ciphertext
    assert unseal(stored) == SECRET
    migrate("newest")
    assert ProviderKey.objects.get(pk=key.pk).secret() == SECRET
    assert Connection.objects.get(pk=connection.pk).platform_key() == "sk-platform-0001"
    assert ProviderKey.objects.get(pk=unreadable.pk).ciphertext == unreadable.ciphertext
