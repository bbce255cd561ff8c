"""``manage.py bootstrap``: set up the portal without a browser, as far as needed."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import URLValidator, validate_email
from django.db import transaction
from django.utils.text import slugify

from batchapp.access import OPERATOR
from batchapp.models import (
    DOUBLEWORD_URL,
    Connection,
    Membership,
    Project,
    ProviderKey,
    UnreadableKey,
    User,
)
from batchapp.pipeline import provider_access
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from batchapp.services.offered_models import model_table
from batchapp.services.prices import price_table
from batchapp.services.providers import provider_keys, rejections


class Command(BaseCommand):
    help = (
        "Create a person, a connection, a project and its provider key, unless they exist, and "
        "print one JSON object with their ids. The first person becomes the "
        "portal's administrator."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", help="who signs in; becomes an admin of the project")
        parser.add_argument("--password", help="for a new person, or to change it")
        parser.add_argument(
            "--admin", action="store_true", help="make the person an administrator"
        )
        parser.add_argument("--project", metavar="NAME", help="name or slug of the project")
        parser.add_argument("--connection", metavar="NAME", default="Doubleword")
        parser.add_argument("--base-url", metavar="URL", help="of the connection, without /v1")
        parser.add_argument(
            "--provider-key", metavar="KEY", help="of the project, or without one of the person"
        )
        parser.add_argument(
            "--poll-seconds", type=int, metavar="N", help="between two polls of a running batch"
        )

    def handle(self, **options: Any) -> None:
        with transaction.atomic():
            user, project, key, connection = _set_up(options)
        works = _accepts(key) if key else None
        connection.refresh_from_db()
        _load_models(connection)
        self.stdout.write(
            json.dumps(
                {
                    "user": user and {"id": user.pk, "email": user.email},
                    "project": project
                    and {"id": str(project.pk), "slug": project.slug, "name": project.name},
                    "connection": {
                        "id": connection.pk,
                        "name": connection.name,
                        "base_url": connection.base_url,
                        "is_sandbox": connection.is_sandbox,
                    },
                    "provider_key": key
                    and {"id": str(key.pk), "last_four": key.last_four, "works": works},
                }
            )
        )


def _load_models(connection: Connection) -> None:
    """Load the models of Doubleword where they apply and none are stored yet.

    Whether the connection is to a sandbox is known once the key was tested.
    """
    applies = connection.is_doubleword or connection.is_sandbox
    if applies and not connection.offered_models.exists():
        model_table.load_doubleword_models(connection, OPERATOR)


def _set_up(
    options: dict[str, Any],
) -> tuple[User | None, Project | None, ProviderKey | None, Connection]:
    connection = _connection(options)
    user = _user(options) if options["email"] else None
    project = _project(options["project"], connection, user) if options["project"] else None
    owner = project or user
    if not options["provider_key"]:
        return user, project, None, connection
    if owner is None:
        raise CommandError("--provider-key needs --project or --email: whose key is it?")
    return user, project, _key(connection, options["provider_key"], owner), connection


def _accepts(key: ProviderKey) -> bool | None:
    """Return whether the provider accepts the key, None if it does not say.

    The test also records on the connection whether the provider is a sandbox.
    """
    try:
        with provider_access.provider_client(key, timeout=timedelta(seconds=3)) as provider:
            provider_keys.test_key(key, OPERATOR, provider)
    except ProviderRejected as exc:
        if exc.reason is not Reason.KEY_REFUSED:
            return None
        provider_keys.record_problem(
            key, rejections.rejection_problem(exc, key.connection), is_refused=True
        )
        return False
    except ProviderUnavailable:
        return None
    return True


def _connection(options: dict[str, Any]) -> Connection:
    name, url = options["connection"], options["base_url"]
    connection = Connection.objects.filter(name=name).first()
    if connection is None:
        if not url:
            raise CommandError(f"There is no connection {name!r} yet: give its --base-url.")
        connection = Connection(name=name, base_url=_url(url))
    changed = []
    if url:
        connection.base_url = _url(url)
        changed.append("base_url")
    if options["poll_seconds"]:
        connection.poll_seconds = options["poll_seconds"]
        changed.append("poll_seconds")
    if connection._state.adding:
        connection.save()
        # A connection set up by this command is to Doubleword, or to the sandbox.
        price_table.load_doubleword_list(connection, OPERATOR)
    elif changed:
        connection.save(update_fields=changed)
    return connection


def _url(url: str) -> str:
    try:
        URLValidator(schemes=["http", "https"])(url)
    except ValidationError as exc:
        raise CommandError(f"--base-url: {url!r} is not a URL, such as {DOUBLEWORD_URL}") from exc
    return url.rstrip("/").removesuffix("/v1")


def _user(options: dict[str, Any]) -> User:
    email, password = options["email"].strip().lower(), options["password"]
    try:
        validate_email(email)
    except ValidationError as exc:
        raise CommandError(f"--email: {email!r} is not an e-mail address") from exc
    user = User.objects.filter(email=email).first()
    if user is None:
        if not password:
            raise CommandError(f"{email} has no account yet: give a --password.")
        is_first = not User.objects.filter(is_superuser=True).exists()
        create = User.objects.create_superuser if is_first else User.objects.create_user
        user = create(email, password)
    elif password and not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    if options["admin"] and not user.is_superuser:
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _project(name: str, connection: Connection, user: User | None) -> Project:
    slug = slugify(name)[:60]
    if not slug:
        raise CommandError(f"--project: {name!r} has no letter or digit for an address.")
    project, _ = Project.objects.get_or_create(
        slug=slug, defaults={"name": name[:100], "connection": connection}
    )
    if project.connection_id != connection.pk:
        raise CommandError(
            f"The project {slug} runs on {project.connection}, not on {connection}. "
            f"Name that connection, or another project."
        )
    if user:
        Membership.objects.get_or_create(
            project=project, user=user, defaults={"role": Membership.Role.ADMIN}
        )
    return project


def _key(connection: Connection, secret: str, owner: User | Project) -> ProviderKey:
    """Return the owner's key with this secret; the newest key gets the secret if none has it."""
    keys = list(owner.provider_keys.filter(connection=connection).exclude(ciphertext=""))
    for key in keys:
        if _secret_of(key) == secret:
            return key
    if keys:
        provider_keys.replace(keys[-1], OPERATOR, secret)
        return keys[-1]
    return provider_keys.store(connection, OPERATOR, secret, owner=owner)


def _secret_of(key: ProviderKey) -> str | None:
    try:
        return key.secret()
    except UnreadableKey:
        return None
