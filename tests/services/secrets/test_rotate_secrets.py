"""All secrets that are stored encrypted can be encrypted again, while the portal runs."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import LazySettings
from django.utils import timezone

from batchapp.domain.webhooks.signature import new_secret
from batchapp.models import Connection, ProviderKey
from batchapp.models.fields import encryption
from batchapp.models.fields.encryption import SecretField, is_sealed_with_newest_key
from batchapp.services.secrets import rotate_secrets
from batchapp.views.people.second_factor_adapter import SecondFactorAdapter
from tests.make import make_connection, make_key, make_project, make_user
from tests.webhook_rows import make_endpoint

pytestmark = pytest.mark.django_db

SECRET = "sk-rotated-000001"


@pytest.fixture
def key() -> ProviderKey:
    key = make_key(make_project(), secret=SECRET)
    key.set_webhook_secret("whsec_1234")
    key.save()
    return key


@pytest.fixture
def newest(key: ProviderKey, settings: LazySettings) -> bytes:
    """A key that was put before the one with which everything is encrypted."""
    newest = Fernet.generate_key()
    settings.ENCRYPTION_KEYS = [newest, *settings.ENCRYPTION_KEYS]
    return newest


def rotate(*, is_dry_run: bool = False) -> dict[str, rotate_secrets.Column]:
    columns = rotate_secrets.rotate_secrets(is_dry_run=is_dry_run)
    return {column.label.partition(".")[2]: column for column in columns}


def stored(key: ProviderKey) -> ProviderKey:
    return ProviderKey.objects.get(pk=key.pk)


def test_every_secret_is_read_by_the_newest_key_alone(
    key: ProviderKey, newest: bytes, settings: LazySettings
) -> None:
    connection = make_connection()
    connection.set_platform_key("sk-platform")
    connection.save()

    rotate()

    settings.ENCRYPTION_KEYS = [newest]
    assert (stored(key).secret(), stored(key).webhook_secret()) == (SECRET, "whsec_1234")
    assert Connection.objects.get(pk=connection.pk).platform_key() == "sk-platform"


def test_addresses_and_secrets_of_webhooks_are_encrypted_again(
    newest: bytes, settings: LazySettings
) -> None:
    older = settings.ENCRYPTION_KEYS[1:]
    settings.ENCRYPTION_KEYS = older
    endpoint = make_endpoint()
    now = timezone.now()
    endpoint.set_secret(new_secret(), timedelta(hours=1))
    endpoint.save()
    address, secrets = endpoint.address, endpoint.secrets_at(now)
    settings.ENCRYPTION_KEYS = [newest, *older]

    rotated = rotate()

    names = ("sealed_address", "sealed_secret", "sealed_old_secret")
    assert [rotated[f"WebhookEndpoint.{name}"].rotated for name in names] == [1, 1, 1]
    settings.ENCRYPTION_KEYS = [newest]
    endpoint.refresh_from_db()
    assert (endpoint.address, endpoint.secrets_at(now)) == (address, secrets)
    assert len(secrets) == 2


def test_the_keys_of_second_factors_are_encrypted_again(
    newest: bytes, settings: LazySettings
) -> None:
    person, older = make_user(), settings.ENCRYPTION_KEYS[1:]
    settings.ENCRYPTION_KEYS = older
    app = TOTP.activate(person, "JBSWY3DPEHPK3PXP").instance
    codes = RecoveryCodes.activate(person)
    before = codes.generate_codes()
    settings.ENCRYPTION_KEYS = [newest, *older]

    assert rotate(is_dry_run=True)["Authenticator.data"].rotated == 2
    assert rotate()["Authenticator.data"].rotated == 2

    settings.ENCRYPTION_KEYS = [newest]
    codes.instance.refresh_from_db()
    app.refresh_from_db()
    assert RecoveryCodes(codes.instance).generate_codes() == before
    assert encryption.unseal(app.data["secret"]) == "JBSWY3DPEHPK3PXP"


def test_a_check_counts_and_changes_nothing(key: ProviderKey, newest: bytes) -> None:
    make_key(key.project or make_user())

    columns = rotate(is_dry_run=True)

    column = columns["ProviderKey.ciphertext"]
    assert (column.newest, column.rotated) == (1, 1)
    assert stored(key).ciphertext == key.ciphertext


def test_a_second_run_finds_nothing_to_do(
    key: ProviderKey, newest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_secrets, "BLOCK", 2)
    for _ in range(5):
        make_key(make_user())
    ProviderKey.objects.update(ciphertext=key.ciphertext)

    first, second = rotate()["ProviderKey.ciphertext"], rotate()["ProviderKey.ciphertext"]

    assert (first.rotated, first.newest) == (6, 0)
    assert (second.rotated, second.newest) == (0, 6)


def test_a_run_that_broke_off_is_continued(
    key: ProviderKey, newest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(make_user())
    ProviderKey.objects.update(ciphertext=key.ciphertext)
    calls = []

    def reseal_once(ciphertext: str) -> str:
        calls.append(ciphertext)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return encryption.reseal(ciphertext)

    monkeypatch.setattr(rotate_secrets, "reseal", reseal_once)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    monkeypatch.undo()

    column = rotate()["ProviderKey.ciphertext"]

    assert (column.newest, column.rotated) == (1, 1)


def test_a_key_that_is_replaced_meanwhile_keeps_its_new_secret(
    key: ProviderKey, newest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_meanwhile(ciphertext: str) -> str:
        other = stored(key)
        other.set_secret("sk-replaced-000002")
        other.save()
        return encryption.reseal(ciphertext)

    monkeypatch.setattr(rotate_secrets, "reseal", replace_meanwhile)

    column = rotate()["ProviderKey.ciphertext"]

    assert (column.rotated, column.replaced_meanwhile) == (0, 1)
    assert stored(key).secret() == "sk-replaced-000002"


def test_a_secret_that_no_key_reads_is_named_and_left_alone(
    key: ProviderKey, newest: bytes, settings: LazySettings
) -> None:
    settings.ENCRYPTION_KEYS = [newest]

    columns = rotate()

    assert columns["ProviderKey.ciphertext"].unreadable == [key.pk]
    assert stored(key).ciphertext == key.ciphertext


def test_second_factors_are_rotated_and_passkeys_are_left_alone(
    newest: bytes, settings: LazySettings
) -> None:
    adapter = SecondFactorAdapter()
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[1:]
    kinds = Authenticator.Type
    user = make_user()
    data = {"seed": adapter.encrypt("a seed"), "used_mask": 5}
    codes = Authenticator.objects.create(user=user, type=kinds.RECOVERY_CODES, data=data)
    app = Authenticator.objects.create(
        user=user, type=kinds.TOTP, data={"secret": adapter.encrypt("JBSWY3DPEHPK3PXP")}
    )
    passkey = {"name": "Passkey 1", "credential": {"id": "abc"}}
    key = Authenticator.objects.create(user=user, type=kinds.WEBAUTHN, data=passkey)
    settings.ENCRYPTION_KEYS = [newest, *settings.ENCRYPTION_KEYS]

    first, second = rotate()["Authenticator.data"], rotate()["Authenticator.data"]

    assert (first.rotated, first.replaced_meanwhile, second.rotated) == (2, 0, 0)
    settings.ENCRYPTION_KEYS = [newest]
    for row in (codes, app, key):
        row.refresh_from_db()
    assert adapter.decrypt(app.data["secret"]) == "JBSWY3DPEHPK3PXP"
    assert (adapter.decrypt(codes.data["seed"]), codes.data["used_mask"]) == ("a seed", 5)
    assert key.data == passkey


def test_every_column_with_ciphertext_is_such_a_field() -> None:
    """Fail if a model gets a column for an encrypted secret that a rotation would miss."""
    columns = [
        column
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if "ciphertext" in column.name or "secret" in column.name.split("_")
    ]

    missed = [str(row) for row in columns if not isinstance(row, SecretField)]
    # Single sign-on is set by the environment alone and stores no tokens, so two stay empty.
    assert missed == [
        "batchapp.ProviderKey.secret_set_at",
        "socialaccount.SocialApp.secret",
        "socialaccount.SocialToken.token_secret",
    ]
    assert len(columns) >= 4


def test_only_the_newest_key_counts(key: ProviderKey, newest: bytes) -> None:
    assert not is_sealed_with_newest_key(key.ciphertext)
    key.set_secret(SECRET)
    assert is_sealed_with_newest_key(key.ciphertext)
