"""docker-compose.yml and the Dockerfile against the code they start."""

import re
import shlex
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.fernet import Fernet
from django.urls import resolve

from batchapp.management import processes
from tests.variables import ROOT, read_by_code

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PROCFILE = {process.name for process in processes.read_procfile(ROOT / "Procfile")}
ENV = {
    "PUBLIC_URL": "https://batch.example.com",
    "SECRET_KEY": "s" * 50,
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "POSTGRES_PASSWORD": "deadbeef",
}


def _expanded(value: str, env: dict[str, str] = ENV) -> str:
    """Replace ``${NAME:?why}`` and ``${NAME:-default}`` as Compose does."""

    def replacement(match: re.Match[str]) -> str:
        name, operator, word = match.groups()
        assert operator == ":-" or name in env, f"{name}: {word}"
        return env.get(name) or word

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", replacement, value)


def _volumes(service: dict[str, Any]) -> dict[str, str]:
    return dict(volume.split(":") for volume in service.get("volumes", []))


def test_every_line_of_the_procfile_is_a_service_started_by_its_name():
    commands = {name: shlex.split(service["command"]) for name, service in OURS.items()}

    migrate = commands.pop("migrate")
    assert migrate == ["python", "manage.py", "migrate"]
    assert commands == {name: ["python", "manage.py", "serve", name] for name in PROCFILE}


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_only_what_the_code_reads(name):
    assert set(OURS[name]["environment"]) <= read_by_code()


def test_together_the_services_set_every_variable_of_an_operator():
    elsewhere = {"BOOTSTRAP_PASSWORD", "DATA_DIR", "DEBUG", "DEMO_EXIT", "DEMO_PASSWORD"}

    assert {name for service in OURS.values() for name in service["environment"]} == (
        read_by_code() - elsewhere
    )


@pytest.mark.parametrize("name", ENV)
def test_a_missing_secret_stops_compose_and_names_itself(name):
    text = (ROOT / "docker-compose.yml").read_text()
    without = {key: value for key, value in ENV.items() if key != name}

    with pytest.raises(AssertionError, match=name):
        _expanded(text, without)


def test_urls_lead_to_services_of_their_kind_and_share_the_password():
    environment = OURS["web"]["environment"]
    database = urlsplit(_expanded(environment["DATABASE_URL"]))
    postgres = SERVICES["postgres"]["environment"]

    assert (database.scheme, database.hostname, database.port) == ("postgres", "postgres", 5432)
    assert (database.username, database.path) == (
        postgres["POSTGRES_USER"],
        f"/{postgres['POSTGRES_DB']}",
    )
    assert database.password == _expanded(postgres["POSTGRES_PASSWORD"])
    for name in ("BROKER_URL", "CACHE_URL"):
        url = urlsplit(environment[name])
        assert (url.scheme, url.hostname, url.port) == ("redis", "redis", 6379)
    assert environment["BROKER_URL"] != environment["CACHE_URL"]


def test_only_web_publishes_a_port_and_to_this_host_alone():
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["web"]

    [published] = SERVICES["web"]["ports"]
    assert _expanded(published) == "127.0.0.1:8000:8000"
    assert published.rpartition(":")[2] == SERVICES["web"]["environment"]["PORT"]
    assert SERVICES["web"]["environment"]["BIND"] == "0.0.0.0"
    assert (
        f"EXPOSE {SERVICES['web']['environment']['PORT']}\n" in (ROOT / "Dockerfile").read_text()
    )


def test_the_health_check_asks_a_page_that_answers_anyone(client, db, settings):
    settings.SECURE_SSL_REDIRECT = True
    [url] = re.findall(r'"(http://[^"]+)"', SERVICES["web"]["healthcheck"]["test"][-1])
    address = urlsplit(url)

    assert str(address.port) == SERVICES["web"]["environment"]["PORT"]
    assert resolve(address.path)
    assert client.get(address.path, headers={"host": address.netloc}).status_code == 200


def test_everything_but_migrate_starts_again_and_waits_for_what_it_needs():
    assert SERVICES["migrate"]["restart"] == "on-failure"
    for name, service in SERVICES.items():
        assert name == "migrate" or service["restart"] == "unless-stopped"
        for other, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert (other, dependency["condition"]) == (
                    "migrate",
                    "service_completed_successfully",
                )


def test_volumes_are_declared_and_used_and_web_and_worker_share_theirs():
    used = {volume for service in SERVICES.values() for volume in _volumes(service)}

    assert used == set(COMPOSE["volumes"])
    assert _volumes(SERVICES["web"]) == _volumes(SERVICES["worker"])


def test_the_files_volume_lies_where_the_image_keeps_files_and_nothing_else(settings):
    dockerfile = (ROOT / "Dockerfile").read_text()
    data_dir = re.search(r"DATA_DIR=(\S+)", dockerfile)

    assert data_dir
    folder = f"{data_dir[1]}/{settings.MEDIA_ROOT.relative_to(settings.DATA_DIR)}"
    assert _volumes(SERVICES["web"]) == {"files": folder}
    assert re.search(rf"--owner=portal .*{folder}\b", dockerfile)


def test_the_image_copies_files_that_exist_and_reach_the_build():
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert sorted(sources) == sorted(let_in)
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_runs_as_a_user_without_rights_and_bakes_no_secret_in():
    dockerfile = (ROOT / "Dockerfile").read_text()
    variables = re.findall(r"^(?:ENV|ARG) .*$", dockerfile, re.MULTILINE)

    assert "USER portal" in dockerfile.partition("CMD")[0]
    assert not any("SECRET" in line or "KEY" in line for line in variables)
    assert "--require-hashes" in dockerfile
