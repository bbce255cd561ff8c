"""Rows that nobody hopes for: names in every script and of every length, and what attackers type.

Run by `manage.py shell` on the portal of the pictures; prints where everything is.
"""

import json
import sys
from typing import Any

from django.conf import settings
from django.test import Client

from batchapp.models import (
    Batch,
    Connection,
    Event,
    EventKind,
    ProviderBatch,
    Result,
    Upload,
    User,
)
from tests import make
from tests.sentences import problem

ATTACK = (
    '"><img src=x onerror="pwned=1"><script>pwned=2</script><b hx-get="/pwned/" hx-trigger="load">'
    "</b>'--{{7*7}}{% now %}"
)
NAMES = {
    "long": 80 * "W",
    "attack": ATTACK[:100],
    "turned": "\u202etxt.exe \u05e4\u05e8\u05d5\u05d9\u05e7\u05d8 \u0645\u0634\u0631\u0648\u0639 "
    + 9 * "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    + " Z\u0351\u0307a\u0335l\u0334go",
}
MANY = 10_000
LARGE = 100_000


def names() -> None:
    """One project of each kind of name, whose people, files, keys, batches are all called so."""
    pages: dict[str, list[str]] = {}
    paths: dict[str, dict[str, str]] = {}
    sessions: dict[str, str] = {}
    for kind, name in NAMES.items():
        person = make.make_user(
            f"{kind}.{50 * 'm'}@{'example.' * 5}com", first_name=name, last_name=name[:150]
        )
        paths[kind] = _project(kind, name, person)
        pages[kind] = _pages(paths[kind], kind)
        sessions[kind] = _session(person)
    sys.stdout.write(json.dumps({"pages": pages, "paths": paths, "sessions": sessions}))


def _project(kind: str, name: str, person: User) -> dict[str, str]:
    connection = make.make_connection(name=f"{name[:80]} ({kind})")
    project = make.make_project(
        person, role=make.OWNER, name=name[:100], slug=kind, connection=connection
    )
    colleague = make.join(
        make.make_user(f"{kind}@example.com", first_name=name, last_name=name), project
    )
    for owner in (person, project):
        key = make.make_key(owner, connection)
        key.name = name[:100]
        key.save()
    upload = make.make_upload(
        project, person, name=f"{2 * name}"[:240] + ".jsonl", content=_file(name)
    )
    faulty = make.make_upload(
        project, person, name=name, content=json.dumps({"custom_id": 5 * name}).encode()
    )
    small = make.make_upload(project, colleague, name=f"{name}.jsonl")
    done = make.make_batch(project, person, upload=upload, key=key, name=(2 * name)[:200])
    answers = [make.answer_line(n, text=3 * name) for n in (1, 2)]
    lines = [_answer(answers[0], _identifier(name)), answers[1]]
    done = make.finish(done, lines, [make.error_line(3, 4 * name)])
    stuck = make.make_batch(project, colleague, upload=small, key=key, name=name)
    make.set_state(
        stuck,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=problem(5 * name),
        remote_id=(2 * name)[:200],
        remote_file_id=(2 * name)[:200],
        remote_status=name[:50],
        next_check_at=None,
    )
    Event.objects.create(
        batch=stuck, kind=EventKind.NOTE, data={"text": 4 * name}, actor=colleague
    )
    return {
        "upload": str(upload.pk),
        "faulty": str(faulty.pk),
        "done": str(done.pk),
        "stuck": str(stuck.pk),
        "member": str(project.memberships.get(user=colleague).pk),
        "key": str(key.pk),
    }


def _file(name: str) -> bytes:
    """Three requests of which the first is called ``name``, and asks for it."""
    first = {
        "custom_id": _identifier(name),
        "body": {
            "model": make.MODEL,
            "max_tokens": 100,
            "messages": [{"role": "user", "content": 3 * name}],
        },
    }
    lines = [make.request_line(1, **first), make.request_line(2), make.request_line(3)]
    return "\n".join(lines).encode()


def _identifier(name: str) -> str:
    """Providers take ASCII only."""
    return name[:64] if name.isascii() else "row-1"


def _answer(line: bytes, custom_id: str) -> bytes:
    return json.dumps(json.loads(line) | {"custom_id": custom_id}).encode()


def _pages(paths: dict[str, str], slug: str) -> list[str]:
    patterns = [
        *("/", "/profile/", "/projects/", "/batches/", "/batches/new/", "/palette/?q="),
        *(f"/projects/{slug}/", f"/projects/{slug}/members/", f"/projects/{slug}/settings/"),
        *(f"/projects/{slug}/keys/", f"/projects/{slug}/files/", f"/projects/{slug}/batches/"),
        f"/projects/{slug}/batches/new/",
        f"/projects/{slug}/members/{{member}}/remove/",
        *("/keys/{key}/replace/", "/keys/{key}/remove/"),
        *("/files/{faulty}/", "/files/{faulty}/batch/"),
        *("/files/{upload}/", "/files/{upload}/delete/", "/files/{upload}/batch/"),
        *("/files/{upload}/batch/window/", "/files/{upload}/batch/review/?window=24h&key={key}"),
        *("/batches/{done}/", "/batches/{done}/results/"),
        *("/batches/{done}/results/1/", "/batches/{done}/results/3/"),
        *("/batches/{stuck}/", "/batches/{stuck}/cancel/", "/batches/{stuck}/try-again/"),
    ]
    return [each.format_map(paths) for each in patterns]


def crowd() -> None:
    """Somebody with ten thousand batches, and a batch of a hundred thousand requests."""
    person = make.make_user("crowd@example.com")
    connection = Connection.objects.get(name="Doubleword")
    project = make.make_project(
        person, role=make.OWNER, name="Crowd", slug="crowd", connection=connection
    )
    model = make.finish(make.make_batch(project, person, name="Large"))
    one = make.finish(
        make.make_batch(
            project,
            person,
            name="One",
            upload=make.make_upload(
                project, person, name="one.jsonl", content=make.request_file(1)
            ),
        )
    )
    Result.objects.bulk_create(_copies(model), batch_size=5_000)
    Batch.objects.filter(pk=model.pk).update(requests=LARGE, succeeded=LARGE, usable=LARGE)
    Upload.objects.filter(pk=model.upload_id).update(requests=LARGE)
    fields = _fields(model)
    Batch.objects.bulk_create(
        [Batch(**fields | {"name": f"Batch {n:05}"}) for n in range(MANY)],
        batch_size=1_000,
    )
    paths = {"large": str(model.pk), "one": str(one.pk)}
    sys.stdout.write(json.dumps({"paths": paths, "session": _session(person)}))


def _fields(row: Any) -> dict[str, Any]:
    return {
        each.attname: getattr(row, each.attname)
        for each in row._meta.concrete_fields
        if not each.primary_key and each.name != "submission"
    }


def _copies(batch: Batch) -> list[Result]:
    first = _fields(batch.results.get(line=1))
    return [
        Result(**first | {"line": line, "custom_id": f"row-{line}"})
        for line in range(4, LARGE + 1)
    ]


def _session(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value
