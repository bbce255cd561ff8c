"""``manage.py bootstrap``: set up the portal without a browser, as far as needed."""

import json
import sys
from argparse import ArgumentParser
from datetime import timedelta
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import URLValidator, validate_email
from django.db import transaction
from django.utils.text import slugify

from batchapp.access import OPERATOR
from batchapp.management.command import BaseCommand
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
from batchapp.providers.http import tidy_url
from batchapp.services.offered_models import model_table
from batchapp.services.people import first_administrator
from batchapp.services.prices import price_table
from batchapp.services.providers import connections, provider_keys, rejections
from config import env

DEFAULT_CONNECTION = "Doubleword"


class Command(BaseCommand):
    help = (
        "Create a person, a connection, a project and its provider key, unless they exist, and "
        "print one JSON object with their ids. The first person becomes the "
        "portal's administrator. The password of a new person is asked for twice, unless an "
        "option, $BOOTSTRAP_PASSWORD or standard input has it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", help="who signs in and gets into the project")
        parser.add_argument(
            "--role",
            choices=Membership.Role.values,
            help="of the person in the project; an owner without this option",
        )
        parser.add_argument(
            "--password",
            help="of a new person; others on this machine can see it in the list of processes",
        )
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password of a new person from the first line of standard input",
        )
        parser.add_argument(
            "--admin", action="store_true", help="make the person an administrator"
        )
        parser.add_argument("--project", metavar="NAME", help="name or slug of the project")
        parser.add_argument(
            "--connection",
            metavar="NAME",
            help=f"that of the project, or for a new project {DEFAULT_CONNECTION}",
        )
        parser.add_argument("--base-url", metavar="URL", help="of the connection; /v1 is appended")
        parser.add_argument(
            "--provider-key", metavar="KEY", help="of the project, or without one of the person"
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="store the provider key, and the password, in place of another one",
        )
        parser.add_argument(
            "--poll-seconds", type=int, metavar="N", help="between two polls of a running batch"
        )

    def handle(self, **options: Any) -> None:
        with transaction.atomic():
            user, project, key, connection = _set_up(options)
        works = _accepts(key) if key else None
        connection.refresh_from_db()
        _load_lists(connection)
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


def _load_lists(connection: Connection) -> None:
    """Load the prices and models of Doubleword where they apply and none are stored yet.

    Whether the connection is to a sandbox is known once the key was tested.
    """
    if not connection.has_shipped_lists:
        return
    if not connection.prices.exists():
        price_table.load_doubleword_list(connection, OPERATOR)
    if not connection.offered_models.exists():
        model_table.load_doubleword_models(connection, OPERATOR)


def _set_up(
    options: dict[str, Any],
) -> tuple[User | None, Project | None, ProviderKey | None, Connection]:
    connection = _connection(options)
    user = _user(options) if options["email"] else None
    project = None
    if options["project"]:
        project = _project(options["project"], connection, user, options["role"])
    owner = project or user
    if not options["provider_key"]:
        return user, project, None, connection
    if owner is None:
        raise CommandError("--provider-key needs --project or --email: whose key is it?")
    key = _key(connection, options["provider_key"], owner, replace=options["replace"])
    return user, project, key, connection


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
        provider_keys.record_sandbox(key, provider)
        provider_keys.record_problem(
            key, rejections.rejection_problem(exc, key.connection), is_refused=True
        )
        return False
    except ProviderUnavailable:
        return None
    return True


def _connection(options: dict[str, Any]) -> Connection:
    name, url = _connection_name(options), options["base_url"]
    connection = Connection.objects.filter(name=name).first()
    if connection is None and not url:
        raise CommandError(f"There is no connection {name!r} yet: give its --base-url.")
    fields: dict[str, Any] = {"base_url": _url(url)} if url else {}
    if options["poll_seconds"]:
        fields["poll_seconds"] = options["poll_seconds"]
    if connection is None:
        return connections.add(Connection(name=name, **fields), OPERATOR)
    connections.change(connection, OPERATOR, **fields)
    return connection


def _connection_name(options: dict[str, Any]) -> str:
    """Return the connection of the options, that of the project that exists, or the usual one."""
    if options["connection"]:
        return str(options["connection"])
    project = Project.objects.filter(slug=slugify(options["project"] or "")[:60]).first()
    return project.connection.name if project else DEFAULT_CONNECTION


def _url(url: str) -> str:
    try:
        URLValidator(schemes=["http", "https"])(url)
    except ValidationError as exc:
        raise CommandError(f"--base-url: {url!r} is not a URL, such as {DOUBLEWORD_URL}") from exc
    return tidy_url(url)


def _user(options: dict[str, Any]) -> User:
    email = options["email"].strip().lower()
    try:
        validate_email(email)
    except ValidationError as exc:
        raise CommandError(f"--email: {email!r} is not an e-mail address") from exc
    user = User.objects.filter(email=email).first()
    if user is None:
        user = _new_user(email, options)
    elif options["replace"] and (password := _given_password(options)):
        user.set_password(_checked(password, user))
        user.save(update_fields=["password"])
    if options["admin"] and not user.is_superuser:
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _new_user(email: str, options: dict[str, Any]) -> User:
    password = _given_password(options) or _typed_password(email)
    _checked(password, User(email=email))
    if first_administrator.is_portal_empty():
        return first_administrator.create_first_administrator(email, password)
    is_first = not User.objects.filter(is_superuser=True).exists()
    return User.objects.create_user(email, password, is_staff=is_first, is_superuser=is_first)


def _given_password(options: dict[str, Any]) -> str:
    """Return the password of an option, of standard input or of the environment, or ""."""
    if options["password_stdin"]:
        return sys.stdin.readline().rstrip("\r\n")
    return options["password"] or env.text("BOOTSTRAP_PASSWORD", "")


def _typed_password(email: str) -> str:
    """Ask for the password at the terminal, twice and without an echo."""
    if not sys.stdin.isatty():
        raise CommandError(
            f"{email} has no account yet: set BOOTSTRAP_PASSWORD, or give --password-stdin "
            "or --password."
        )
    password = getpass(f"Password of {email}: ")
    repeated = getpass("Once more: ")
    if repeated != password:
        raise CommandError("The two passwords differ. Nothing was created.")
    return password


def _checked(password: str, user: User) -> str:
    try:
        validate_password(password, user)
    except ValidationError as exc:
        raise CommandError(f"The password: {' '.join(exc.messages)}") from exc
    return password


def _project(name: str, connection: Connection, user: User | None, role: str | None) -> Project:
    slug = slugify(name)[:60]
    if not slug:
        raise CommandError(f"--project: {name!r} has no letter or digit for an address.")
    project, _ = Project.objects.get_or_create(
        slug=slug, defaults={"name": name[:100], "connection": connection}
    )
    if project.deleted_at:
        raise CommandError(f"The project {slug} was deleted. Choose another name.")
    if project.connection_id != connection.pk:
        raise CommandError(
            f"The project {slug} runs on {project.connection}, not on {connection}. "
            f"Name that connection, or another project."
        )
    if user:
        membership, _ = Membership.objects.get_or_create(
            project=project, user=user, defaults={"role": role or Membership.Role.OWNER}
        )
        if role and membership.role != role:
            raise CommandError(
                f"{user.email} is in {slug} already, as {membership.role}. "
                "Change the role on the project's page Members."
            )
    return project


def _key(
    connection: Connection, secret: str, owner: User | Project, *, replace: bool
) -> ProviderKey:
    """Return the owner's key with this secret; with ``replace`` the newest key gets it.

    A key that cannot be used, since the address of the connection has changed, gets it anyway.
    """
    keys = list(owner.provider_keys.filter(connection=connection).exclude(ciphertext=""))
    for key in keys:
        if _secret_of(key) == secret:
            return key
    if not keys:
        return provider_keys.store(connection, OPERATOR, secret, owner=owner)
    if unusable := [key for key in keys if not key.is_readable]:
        provider_keys.replace(unusable[-1], OPERATOR, secret)
        return unusable[-1]
    if not replace:
        raise CommandError(
            f"{owner} has another provider key already, …{keys[-1].last_four}. "
            "Give --replace to store this one in its place."
        )
    provider_keys.replace(keys[-1], OPERATOR, secret)
    return keys[-1]


def _secret_of(key: ProviderKey) -> str | None:
    try:
        return key.secret()
    except UnreadableKey:
        return None
