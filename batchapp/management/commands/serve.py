"""``manage.py serve``: run the whole portal in the foreground, or one of its processes."""

import os
import shutil
import sys
import time
from argparse import ArgumentParser
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from batchapp.management import processes
from batchapp.management.processes import Process
from batchapp.services.people import first_administrator
from config import env

LONGEST_WRITE = timedelta(days=1)  # of one file by a command


class Command(BaseCommand):
    help = (
        "Run web, worker and beat in the foreground and restart each when it dies. With a name, "
        "become that one process, which Docker or systemd restarts."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="a process of the Procfile")
        parser.add_argument(
            "--with",
            dest="extra",
            action="append",
            default=[],
            metavar="NAME=COMMAND",
            help="one more process; may be repeated",
        )
        parser.add_argument(
            "--logs", action="store_true", help="write to DATA_DIR/logs instead of the terminal"
        )

    def handle(self, *, name: str | None, extra: list[str], logs: bool, **options: Any) -> None:
        portal = processes.read_procfile(settings.BASE_DIR / "Procfile")
        os.chdir(settings.BASE_DIR)
        environment = processes.environment(Path(sys.executable))
        if name:
            if name == "web":
                self._announce_first_run()
            _become(name, portal, environment)
        portal += [_parse_process(text) for text in extra]
        names = [process.name for process in portal]
        if len(set(names)) < len(names):
            raise CommandError(f"Two processes of one name: {', '.join(names)}.")
        _check_database()
        folder = settings.DATA_DIR / "logs"
        output = processes.file_output(folder) if logs else processes.terminal_output(portal)

        def announce(text: str) -> None:
            self.stdout.write(text)
            self.stdout.flush()
            if logs:
                output("serve", text)

        try:
            with processes.exclusive(settings.DATA_DIR / "run/serve.lock"):
                _clear_temporary_files()
                announce(f"The portal will listen on {_free_address()}. Ctrl-C ends it.")
                if first_administrator.is_portal_empty():
                    announce(_first_run_notice())
                if logs:
                    announce(f"Output goes to {folder}.")
                processes.keep_running(portal, env=environment, output=output, announce=announce)
        except processes.AlreadyRunningError as exc:
            raise CommandError(
                f"A portal already runs on {settings.DATA_DIR} (process {exc}). Stop it first, or "
                "set DATA_DIR to another folder."
            ) from None

    def _announce_first_run(self) -> None:
        """Print the setup link of an empty portal; a database that is not there yet is no error.

        The web server starts without its database, and then prints the link when its page of the
        first run is opened.
        """
        with suppress(DatabaseError):
            if first_administrator.is_portal_empty():
                self.stdout.write(_first_run_notice())
                self.stdout.flush()
        connection.close()


def _first_run_notice() -> str:
    link = first_administrator.setup_link()
    return f"Nobody has an account yet. Make the administrator at {link}"


def _become(name: str, portal: list[Process], environment: dict[str, str]) -> None:
    for process in portal:
        if process.name == name:
            os.execvpe("sh", process.argv, environment)  # noqa: S606  # a line of our Procfile
    raise CommandError(f"The Procfile names no {name}, only {', '.join(p.name for p in portal)}.")


def _parse_process(text: str) -> Process:
    name, _, command = text.partition("=")
    if not name.isidentifier() or not command.strip():
        raise CommandError(f"--with {text!r} is not NAME=COMMAND.")
    return Process(name, command)


def _check_database() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("The database is not up to date. Run: python manage.py migrate")


def _clear_temporary_files() -> None:
    """Remove half received files of a killed web server; no other server runs here now.

    What killed workers left of exports goes once no command can still write it.
    """
    for path in settings.FILE_UPLOAD_TEMP_DIR.glob("*.upload*"):
        path.unlink(missing_ok=True)
    for path in settings.FILE_UPLOAD_TEMP_DIR.iterdir():
        if time.time() - path.stat().st_mtime < LONGEST_WRITE.total_seconds():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _free_address() -> str:
    try:
        bind, port = env.text("BIND", "127.0.0.1"), env.integer("PORT", 8000)
    except ImproperlyConfigured as exc:
        raise CommandError(str(exc)) from exc
    if trouble := processes.why_not_listening(bind, port):
        raise CommandError(f"{bind}:{port}: {trouble}. Set PORT to another number.")
    return f"http://{bind}:{port}"
