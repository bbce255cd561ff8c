"""The environment as the only place to set anything: misread nowhere, secrets made once."""

import os
import runpy
import stat
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from config import env
from tests.variables import ROOT, read_by_code


@pytest.fixture
def variable(monkeypatch):
    """Set or unset $COLOUR."""

    def set_to(value=None, *, name="COLOUR"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(value))

    return set_to


def _start(data_dir, **variables):
    """Load the settings in a process of its own that has only these variables; print secrets."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name.partition("_FILE")[0] not in read_by_code()
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from config import settings as s; print(s.SECRET_KEY, *s.ENCRYPTION_KEYS)",
        ],
        cwd=ROOT,
        env={**clean, "DATA_DIR": str(data_dir), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- Readers ------------------------------------------------------------------------------------


def test_text_prefers_the_variable_then_its_file_then_the_default(variable, tmp_path):
    (tmp_path / "colour").write_text("green\n")

    assert env.text("COLOUR", "red") == "red"
    variable(tmp_path / "colour", name="COLOUR_FILE")
    assert env.text("COLOUR", "red") == "green"
    variable("blue")
    assert env.text("COLOUR", "red") == "blue"
    variable("")
    assert env.text("COLOUR", "red") == "green"


def test_a_file_that_cannot_be_read_is_named(variable, tmp_path):
    variable(tmp_path / "missing", name="COLOUR_FILE")

    with pytest.raises(ImproperlyConfigured, match=r"COLOUR_FILE: .*missing"):
        env.text("COLOUR", "red")


@pytest.mark.parametrize("value", ["1", "true", "Yes", "ON"])
def test_flag_is_on(variable, value):
    variable(value)

    assert env.flag("COLOUR", default=False) is True


@pytest.mark.parametrize("value", ["0", "false", "No", "OFF"])
def test_flag_is_off(variable, value):
    variable(value)

    assert env.flag("COLOUR", default=True) is False


@pytest.mark.parametrize("value", ["maybe", "2", "y", " "])
def test_a_flag_that_is_neither_is_named(variable, value):
    variable(value)

    with pytest.raises(ImproperlyConfigured, match="COLOUR"):
        env.flag("COLOUR", default=True)


def test_integer(variable):
    assert env.integer("COLOUR", 7) == 7
    variable("12")
    assert env.integer("COLOUR", 7) == 12


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "²", "1 000"])
def test_a_number_that_is_none_or_too_small_is_named(variable, value):
    variable(value)

    with pytest.raises(ImproperlyConfigured, match="COLOUR"):
        env.integer("COLOUR", 7)


def test_words(variable):
    assert env.words("COLOUR") == []
    variable(" red, ,green,")
    assert env.words("COLOUR") == ["red", "green"]


# --- Secrets ------------------------------------------------------------------------------------


def test_a_secret_is_made_once_and_only_we_can_read_it(tmp_path):
    path = tmp_path / "secrets/colour"

    assert env.secret("COLOUR", path, lambda: "red") == "red"
    assert env.secret("COLOUR", path, lambda: "green") == "red"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_networks_are_read_one_by_one(variable):
    variable("10.1.0.0/16, fd00::/8")

    assert [str(network) for network in env.networks("COLOUR")] == ["10.1.0.0/16", "fd00::/8"]


def test_a_given_secret_leaves_no_file(variable, tmp_path):
    variable("blue")

    assert env.secret("COLOUR", tmp_path / "secrets/colour", lambda: "red") == "blue"
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree_on_their_secrets(tmp_path):
    started = [_start(tmp_path / "data") for _ in range(8)]
    outcomes = [process.communicate(timeout=300) for process in started]

    assert {process.returncode for process in started} == {0}, outcomes
    [secrets] = {out for out, _ in outcomes}
    assert Fernet(secrets.split()[-1])
    kept = list((tmp_path / "data/secrets").iterdir())
    assert sorted(path.name for path in kept) == ["encryption_keys", "secret_key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_secrets_may_come_from_files(tmp_path):
    keys = f"{Fernet.generate_key().decode()},{Fernet.generate_key().decode()}"
    (tmp_path / "key").write_text("signed\n")
    (tmp_path / "keys").write_text(f"{keys}\n")
    process = _start(
        tmp_path / "data",
        SECRET_KEY_FILE=str(tmp_path / "key"),
        ENCRYPTION_KEYS_FILE=str(tmp_path / "keys"),
    )
    out, err = process.communicate(timeout=300)

    assert out.split() == ["signed", *keys.split(",")], err
    assert not (tmp_path / "data/secrets").exists()


# --- Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "ftp://batch.example.com"),
        ("PUBLIC_URL", "https://"),
        ("DEBUG", "maybe"),
        ("LEASE_SECONDS", "4"),
        ("TICK_SECONDS", "0"),
        ("MAX_UPLOAD_MIB", "many"),
        ("SECRET_KEY_FILE", "/nonexistent"),
        ("DATABASE_URL", "mysql://localhost/portal"),
        ("DATABASE_URL", "portal"),
        ("BROKER_URL", "amqp://localhost"),
        ("CACHE_URL", "memcached://localhost"),
        ("EMAIL_URL", "pigeon://post"),
        ("EMAIL_URL", "smtp://"),
        ("TRUSTED_PROXIES", "all"),
        ("OIDC_URL", "login.example.com"),
        ("LOG_LEVEL", "LOUD"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.0/8,intranet"),
        ("WEBHOOK_PRIVATE_NETWORKS", "10.0.0.1/8"),
        ("PROJECT_FOUNDERS", "nobody"),
        ("ENCRYPTION_KEYS", "short"),
    ],
)
def test_a_malformed_value_is_named(monkeypatch, tmp_path, name, value):
    for known in read_by_code():
        monkeypatch.delenv(known, raising=False)
        monkeypatch.delenv(f"{known}_FILE", raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=f"^{name}: "):
        runpy.run_path(str(ROOT / "config/settings.py"))


def test_a_malformed_value_stops_the_process(tmp_path):
    process = _start(tmp_path, DEBUG="maybe")
    _, err = process.communicate(timeout=300)

    assert process.returncode == 1
    assert "ImproperlyConfigured: DEBUG: " in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("variables", "engine"),
    [
        ({}, "sqlite3"),
        ({"DATABASE_URL": "postgres://batchapp@localhost/batchapp"}, "postgresql"),
    ],
)
def test_both_deployments_load(tmp_path, variables, engine):
    process = subprocess.run(
        [sys.executable, "-c", "from config import settings as s; print(s.DATABASES, s.CACHES)"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "", **variables},
        capture_output=True,
        text=True,
        check=True,
    )

    assert engine in process.stdout


# --- Strict transport security -------------------------------------------------------------------

HSTS = (
    "from config import settings as s; "
    "print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
)


def _hsts(data_dir, **variables):
    clean = {
        name: value
        for name, value in os.environ.items()
        if name.partition("_FILE")[0] not in read_by_code()
    }
    return subprocess.run(
        [sys.executable, "-c", HSTS],
        cwd=ROOT,
        env={**clean, "DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "values"),
    [
        ({}, "0 False False"),
        ({"PUBLIC_URL": "https://portal.example.com"}, "31536000 False False"),
        (
            {
                "PUBLIC_URL": "https://portal.example.com",
                "HSTS_SECONDS": "63072000",
                "HSTS_INCLUDE_SUBDOMAINS": "yes",
                "HSTS_PRELOAD": "yes",
            },
            "63072000 True True",
        ),
        ({"PUBLIC_URL": "https://portal.example.com", "HSTS_SECONDS": "0"}, "0 False False"),
    ],
)
def test_subdomains_and_preload_are_bound_only_when_asked_for(tmp_path, variables, values):
    assert _hsts(tmp_path, **variables).stdout.strip() == values


@pytest.mark.parametrize(
    "lacking",
    [{}, {"HSTS_INCLUDE_SUBDOMAINS": "yes", "HSTS_SECONDS": "60"}],
)
def test_a_preload_that_browsers_would_not_accept_is_refused(tmp_path, lacking):
    public = {"PUBLIC_URL": "https://portal.example.com"}

    process = _hsts(tmp_path, HSTS_PRELOAD="yes", **public, **lacking)

    assert process.returncode
    assert "HSTS_PRELOAD: browsers accept it only with" in process.stderr
