"""Compare the way from a file of requests to stored results with the least that it must do.

python -m tests.bench.write_results [REQUESTS] [--memory]

The least is to decode every result line, and to write the same rows, when they are ready, at once
with all indexes: by COPY on PostgreSQL, by ``executemany`` on SQLite. The portal prepares the
batch and harvests its results from a provider without a network. SQLite is measured, and the
database of DATABASE_URL if there is one, each in a process of its own. With --memory it measures
instead how much more memory a batch takes than a batch of a tenth of its requests.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import msgspec

from tests.bench import request_files

if TYPE_CHECKING:
    from batchapp.models import Batch, Upload

REQUESTS, ROUNDS = 50_000, 3
ANSWER_WORDS = 120
AT_ONCE = 2_000  # requests that the provider works on
CHUNK_BYTES = 1 << 16  # of the provider's content
MAX_MIB = 20  # more for ten times as many requests

# How many times as long as the least the portal may take.
TARGETS = {"sqlite": 4.0, "postgresql": 3.0}


class Round(NamedTuple):
    """Seconds of each part."""

    decode: float
    write: float
    prepare: float
    harvest: float
    settle: float

    @property
    def ratio(self) -> float:
        return (self.prepare + self.harvest) / (self.decode + self.write)


class Measured(NamedTuple):
    """``peak`` is the most memory of the process up to the end of its first batch, in MiB."""

    vendor: str
    peak: int
    rounds: list[Round]


def main(*arguments: str) -> None:
    numbers = [int(argument) for argument in arguments if argument.isdecimal()]
    requests = numbers[0] if numbers else REQUESTS
    if "--here" in arguments:
        _measure_here(requests, numbers[1])
        return
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, {requests:,} requests\n"
    )
    for url in dict.fromkeys(["", os.environ.get("DATABASE_URL", "")]):
        if "--memory" in arguments:
            _compare_memory(url, requests)
        else:
            _compare_times(url, requests)


def _compare_times(url: str, requests: int) -> None:
    vendor, _, rounds = _run(url, requests, ROUNDS)
    parts = zip(Round._fields, map(statistics.median, zip(*rounds, strict=True)), strict=True)
    ratio, target = statistics.median(each.ratio for each in rounds), TARGETS[vendor]
    sys.stdout.write(
        f"{vendor}: {', '.join(f'{name} {seconds:.2f} s' for name, seconds in parts)}\n"
        f"  ratio {ratio:.2f}, target {target}, "
        f"{'reached' if ratio <= target else 'NOT reached'}\n"
    )


def _compare_memory(url: str, requests: int) -> None:
    few, many = (_run(url, number, 0) for number in (requests // 10, requests))
    more = many.peak - few.peak
    sys.stdout.write(
        f"{many.vendor}: {more} MiB more than for a tenth of the requests, target {MAX_MIB}, "
        f"{'reached' if more <= MAX_MIB else 'NOT reached'}\n"
    )


def _run(url: str, requests: int, rounds: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        environment = os.environ | {"DATA_DIR": folder, "DATABASE_URL": url}
        environment.pop("STORAGE_URL", None)  # the disk, whose speed matters least
        if not url:
            del environment["DATABASE_URL"]
        command = [sys.executable, "-m", "tests.bench.write_results"]
        process = subprocess.run(
            [*command, str(requests), str(rounds), "--here"],
            check=True,
            stdout=subprocess.PIPE,
            env=environment,
        )
    return msgspec.json.decode(process.stdout, type=Measured)


def _measure_here(requests: int, rounds: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django  # noqa: PLC0415  # only now is the folder its own
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    from tests import make  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    make._numbers = count(time.time_ns())  # the database may have rows of a run before
    measured = measure(requests, rounds, Path(os.environ["DATA_DIR"]))
    sys.stdout.write(msgspec.json.encode(measured).decode())


def measure(requests: int, rounds: int, folder: Path) -> Measured:
    """Run one batch of so many requests, then ``rounds`` more beside the least."""
    from django.db import connection  # noqa: PLC0415

    from tests import make  # noqa: PLC0415

    upload = _make_upload(folder / "requests.jsonl", requests)
    answers = _make_answers(folder / "answers.jsonl", requests)
    batch, *_ = _run_batch(upload, answers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    measured = Measured(connection.vendor, peak, [])
    for _ in range(rounds):
        decode = _decode(answers)
        write = WRITERS[connection.vendor](batch, make.make_batch(upload=upload))
        _, *seconds = _run_batch(upload, answers)
        measured.rounds.append(Round(decode, write, *seconds))
    return measured


def _make_upload(path: Path, requests: int) -> "Upload":
    """Make a large file that counts as checked; a real check would take long and much memory."""
    from django.core.files.base import File  # noqa: PLC0415

    from batchapp.models import Connection, Upload  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    upload = make.make_upload(content=make.request_file(1))
    Connection.objects.update(max_requests=None)  # one provider batch, however large
    with path.open("wb") as file:
        file.writelines(islice(request_files.make_lines("one program", make.MODEL), requests))
    upload.blob.delete(save=False)
    with path.open("rb") as file:
        upload.blob.save(path.name, File(file), save=False)
    Upload.objects.filter(pk=upload.pk).update(
        blob=upload.blob.name,
        size=path.stat().st_size,
        requests=requests,
        report_fields=upload.report_fields | {"requests": requests},
    )
    return Upload.objects.get(pk=upload.pk)


def _make_answers(path: Path, requests: int) -> Path:
    """Write one result line per request, as a provider completes ``AT_ONCE`` of them at a time."""
    random = Random(2)
    numbers = sorted(range(requests), key=lambda number: number + AT_ONCE * random.random())
    words = [f"word{number}" for number in range(1_000)]
    with path.open("wb") as file:
        for number in numbers:
            text = " ".join(random.choices(words, k=ANSWER_WORDS))
            file.write(json.dumps(_answer(number, text)).encode() + b"\n")
    return path


def _answer(number: int, text: str) -> dict[str, Any]:
    """Return a result line with all the fields that Doubleword sends."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 310, "completion_tokens": 180 + number % 20, "total_tokens": 500}
    body = {
        "id": f"chatcmpl-{number:032x}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": request_files.MODEL,
        "choices": [choice],
        "usage": usage,
    }
    return {
        "id": f"batch_req_{number:08d}-0000-4000-8000-000000000000",
        "custom_id": f"r-{number}",
        "response": {"status_code": 200, "request_id": None, "body": body},
        "error": None,
    }


def _decode(answers: Path) -> float:
    """Return the seconds to read and decode every result line."""
    start = time.perf_counter()
    with answers.open("rb") as file:
        for line in file:
            msgspec.json.decode(line)
    return time.perf_counter() - start


def _run_batch(upload: "Upload", answers: Path) -> tuple["Batch", float, float, float]:
    """Run a batch of the file; return it with the seconds to prepare, harvest and settle it."""
    from batchapp.models import ProviderBatch  # noqa: PLC0415
    from batchapp.services.lifecycle import prepare, settle  # noqa: PLC0415
    from batchapp.services.lifecycle.harvest import fetch_results  # noqa: PLC0415
    from tests import make  # noqa: PLC0415
    from tests.doubleword import connect  # noqa: PLC0415

    batch = make.make_batch(upload=upload)
    provider_batch = batch.provider_batches.get()
    start = time.perf_counter()
    prepare.prepare(provider_batch)
    prepared = time.perf_counter()
    provider_batch = make.set_state(
        batch,
        status=ProviderBatch.Status.HARVESTING,
        remote_id=str(batch.pk),
        remote_status="completed",
        output_file_id="output",
        completed=batch.requests,
        ended_at=batch.created_at,
    )
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=_chunks(answers)))
    ready = time.perf_counter()
    with connect("https://provider.test", "sk-x", transport=transport) as provider:
        fetch_results.harvest(provider_batch, provider)
    harvested = time.perf_counter()
    ProviderBatch.objects.start_settling(pk=batch.pk)
    batch.refresh_from_db()
    before_settling = time.perf_counter()
    settle.settle(batch)
    settled = time.perf_counter()
    assert batch.succeeded == batch.requests, f"{batch.succeeded} of {batch.requests} answered"
    return batch, prepared - start, harvested - ready, settled - before_settling


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _copy(source: "Batch", target: "Batch") -> float:
    """Write the rows of ``source`` for ``target`` by COPY, and return the seconds."""
    from django.db import connection  # noqa: PLC0415

    columns, rows_for_target = _columns(source, target)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY ({rows_for_target}) TO STDOUT") as copy:
            rows = b"".join(copy)
        start = time.perf_counter()
        with cursor.copy(f"COPY batchapp_result ({columns}) FROM STDIN") as copy:
            copy.write(rows)
        return time.perf_counter() - start


def _executemany(source: "Batch", target: "Batch") -> float:
    """Write the rows of ``source`` for ``target`` by ``executemany``, and return the seconds."""
    from django.db import connection, transaction  # noqa: PLC0415

    columns, rows_for_target = _columns(source, target)
    marks = ", ".join("?" * len(columns.split(",")))
    with transaction.atomic():
        rows = connection.connection.execute(rows_for_target).fetchall()
    start = time.perf_counter()
    with transaction.atomic():
        insert = f"INSERT INTO batchapp_result ({columns}) VALUES ({marks})"
        connection.connection.executemany(insert, rows)
    return time.perf_counter() - start


# Name of the database -> how it writes ready rows at once.
WRITERS = {"sqlite": _executemany, "postgresql": _copy}


def _columns(source: "Batch", target: "Batch") -> tuple[str, str]:
    """Return all columns but the primary key, and the query of the rows of ``source``.

    The rows that the query returns are those of ``target``, which has none yet.
    """
    from django.db import connection  # noqa: PLC0415

    from batchapp.models import Batch, Result  # noqa: PLC0415

    def literal(pk: Any) -> str:
        return f"'{Batch._meta.pk.get_db_prep_value(pk, connection)}'"

    names = [field.column for field in Result._meta.concrete_fields if not field.primary_key]
    provider_batch = target.provider_batches.get()
    ids = {"batch_id": literal(target.pk), "provider_batch_id": literal(provider_batch.pk)}
    values = ", ".join(ids.get(name, f'"{name}"') for name in names)
    where = f"WHERE batch_id = {literal(source.pk)} ORDER BY line"
    return ", ".join(
        f'"{name}"' for name in names
    ), f"SELECT {values} FROM batchapp_result {where}"


if __name__ == "__main__":
    main(*sys.argv[1:])
