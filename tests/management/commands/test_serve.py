"""What `serve` refuses before it starts anything, and what it hands to the keeper."""

import os
import socket

import pytest
from django.core.management import CommandError, call_command

from batchapp.management import processes
from batchapp.management.commands import serve
from tests.variables import ROOT


@pytest.fixture
def kept(monkeypatch, settings, tmp_path):
    """Serve without starting anything; what would have been started."""
    calls = []
    monkeypatch.setattr(
        processes, "keep_running", lambda wanted, **rest: calls.append((wanted, rest))
    )
    monkeypatch.setenv("PORT", str(_free_port()))
    monkeypatch.delenv("BIND", raising=False)
    monkeypatch.chdir(ROOT)
    settings.DATA_DIR = tmp_path
    return calls


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.django_db
def test_it_runs_the_procfile_and_what_comes_with_it(kept, capsys):
    call_command("serve", extra=["sandbox=python manage.py sandbox --port 1"])

    [(wanted, rest)] = kept
    assert [process.name for process in wanted] == ["web", "worker", "beat", "sandbox"]
    assert wanted[-1].argv == ["sh", "-c", "exec python manage.py sandbox --port 1"]
    assert rest["env"]["PORT"] == os.environ["PORT"]
    assert f"http://127.0.0.1:{os.environ['PORT']}" in capsys.readouterr().out


@pytest.mark.django_db
def test_logs_are_files_and_announcements_are_both(kept, tmp_path, capsys):
    call_command("serve", logs=True)

    [(_, rest)] = kept
    rest["output"]("web", "a line")
    rest["announce"]("web: killed by SIGKILL")
    assert (tmp_path / "logs/web.log").read_text() == "a line\n"
    assert (tmp_path / "logs/serve.log").read_text().endswith("web: killed by SIGKILL\n")
    assert "web: killed by SIGKILL\n" in capsys.readouterr().out


@pytest.mark.django_db
def test_a_taken_port_is_refused(kept):
    taken = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    with taken, pytest.raises(CommandError, match=r"another program listens there\.") as refusal:
        call_command("serve")

    assert "\n" not in str(refusal.value)
    assert kept == []


@pytest.mark.django_db
def test_a_port_that_is_no_number_is_refused(kept, monkeypatch):
    monkeypatch.setenv("PORT", "http")

    with pytest.raises(CommandError, match="PORT: 'http'"):
        call_command("serve")


@pytest.mark.django_db
def test_a_second_one_on_the_same_folder_is_refused(kept, tmp_path):
    refused = pytest.raises(CommandError, match=rf"already runs on .*process {os.getpid()}\)")
    with processes.exclusive(tmp_path / "run/serve.lock"), refused:
        call_command("serve")

    assert kept == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["sandbox"], "not NAME=COMMAND"),
        (["sandbox="], "not NAME=COMMAND"),
        (["../x=true"], "not NAME=COMMAND"),
        (["web=true"], "Two processes of one name"),
    ],
)
def test_a_malformed_extra_process_is_refused(kept, extra, message):
    with pytest.raises(CommandError, match=message):
        call_command("serve", extra=extra)

    assert kept == []


@pytest.mark.django_db
def test_a_database_that_is_not_up_to_date_is_refused(kept, monkeypatch):
    monkeypatch.setattr(serve.MigrationExecutor, "migration_plan", lambda *_: ["0002"])

    with pytest.raises(CommandError, match=r"Run: python manage\.py migrate"):
        call_command("serve")


def test_with_a_name_it_becomes_that_process(kept, monkeypatch):
    became = []
    monkeypatch.setattr(os, "execvpe", lambda *args: became.append(args))
    monkeypatch.setattr(serve, "_check_database", lambda: pytest.fail("not its business"))
    with pytest.raises(CommandError):  # only because we are still here
        call_command("serve", "worker")

    [(program, argv, environment)] = became
    assert program == argv[0] == "sh"
    assert argv[2].startswith("exec celery ")
    assert " -A config worker " in argv[2]
    assert environment["PATH"].startswith(f"{serve.Path(serve.sys.executable).parent}{os.pathsep}")


def test_an_unknown_name_is_refused(kept):
    with pytest.raises(CommandError, match="names no nothing, only web, worker, beat"):
        call_command("serve", "nothing")
