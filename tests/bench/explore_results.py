"""The time of the table of results with a thousand, a hundred thousand and a million results.

python -m tests.bench.explore_results [--most 1000000]

The columns files are made by DuckDB, with texts and fields of JSON answers as models give them;
pages are opened in this process, so that only the work of the server counts. What is found once
for a filter is kept: "first" is the time without that.
"""

import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS, WARM_UP = 15, 3
TARGETS = {  # milliseconds with a million results
    "page": 60,
    "page in the middle": 60,
    "last page": 60,
    "one result": 60,
    "page of a search, again": 60,
    "distributions, first": 150,
    "search, first": 150,
    "sort by tokens, first": 150,
}
SAME = {"page", "page in the middle", "last page"}  # at most MOST_RATIO of a thousand results
MOST_RATIO = 1.3
NOISE_MILLISECONDS = 5

Step = Callable[[int], str]


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--most", type=int, default=SIZES[-1])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        os.environ["DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        os.environ["LOG_LEVEL"] = "ERROR"
        import django  # noqa: PLC0415  # only now is the folder its own

        django.setup()
        from django.core.management import call_command  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        times = {size: _times(size) for size in SIZES if size <= options.most}
    _write(times)


def _write(times: dict[int, dict[str, list[float]]]) -> None:
    sizes = list(times)
    heads = "".join(f"{size:>12,}" for size in sizes)
    sys.stdout.write(f"{'milliseconds, median':28}{heads}{'p95':>10}{'ratio':>8}\n")
    reached = 0
    for name in times[sizes[0]]:
        medians = [statistics.median(times[size][name]) for size in sizes]
        p95 = sorted(times[sizes[-1]][name])[int(ROUNDS * 0.95)]
        ratio = medians[-1] / medians[0]
        grew = medians[-1] - medians[0] > NOISE_MILLISECONDS and ratio > MOST_RATIO
        is_reached = p95 <= TARGETS[name] and not (name in SAME and grew)
        reached += is_reached
        row = "".join(f"{median:12.1f}" for median in medians)
        sys.stdout.write(
            f"{name:28}{row}{p95:10.1f}  x{ratio:6.1f}{'' if is_reached else '  NOT reached'}\n"
        )
    sys.stdout.write(f"{reached} of {len(TARGETS)} targets reached\n")


def _times(size: int) -> dict[str, list[float]]:
    """Return step -> milliseconds of each round."""
    from django.test import Client  # noqa: PLC0415
    from django.urls import reverse  # noqa: PLC0415

    from batchapp.services.results.columns import open_columns  # noqa: PLC0415

    batch, user = _batch(size)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    results = reverse("result_list", args=[batch.pk])
    pages = size // 50
    steps: dict[str, Step] = {
        "page": lambda n: results,
        "page in the middle": lambda n: f"{results}?page={pages // 2 + n}",
        "last page": lambda n: f"{results}?page={pages - n}",
        "one result": lambda n: f"{results}{n + 1}/",
        "page of a search, again": lambda n: f"{results}?q=kettle&page={n + 1}",
        "search, first": lambda n: f"{results}?q=chair+1{n}",
        "sort by tokens, first": lambda n: f"{results}?sort=-output_tokens&range.line={n}..",
        "distributions, first": lambda n: (
            f"{results}distributions/?columns=question"
            "&columns=field:label&columns=field:score&columns=field:why&columns=field:urgent"
            "&columns=input_tokens&columns=output_tokens&columns=cost_usd"
        ),
    }
    times: dict[str, list[float]] = {}
    for name, step in steps.items():
        taken = []
        for number in range(WARM_UP + ROUNDS):
            if name == "distributions, first":
                for _connection, cache in open_columns._files._open.values():
                    cache.facets._values.clear()
            started = time.perf_counter()
            response = client.get(step(number))
            taken.append((time.perf_counter() - started) * 1000)
            assert response.status_code == 200
        times[name] = taken[WARM_UP:]
    return times


def _batch(size: int) -> tuple[Any, Any]:
    """Return a batch whose columns file has ``size`` results, and its user."""
    from django.core.files.base import File  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from batchapp.models import Batch, ResultColumns  # noqa: PLC0415
    from batchapp.services.results.columns import freshness  # noqa: PLC0415
    from tests import make  # noqa: PLC0415

    user = make.make_user()
    project = make.make_project(user)
    upload = make.make_upload(project, user, content=make.request_file(50))
    batch = make.finish(
        make.make_batch(upload=upload), [make.answer_line(n) for n in range(1, 51)]
    )
    Batch.objects.filter(pk=batch.pk).update(requests=size, succeeded=size)
    batch.refresh_from_db()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "columns.duckdb")
        _write_columns(path, size)
        columns = ResultColumns(batch=batch, status=ResultColumns.Status.READY)
        with path.open("rb") as content:
            columns.blob.save("columns.duckdb", File(content), save=False)
    columns.built_from, columns.built_at = freshness.state_of(batch), timezone.now()
    columns.save()
    return batch, user


def _write_columns(path: Path, size: int) -> None:
    from batchapp.services.results.columns import schema, statistics  # noqa: PLC0415

    label = "['late', 'broken', 'fine'][1 + (hash(i * 11) % 3)::INT]"
    why = "'They wrote ' || md5((i * 17)::VARCHAR)"
    score = "((hash(i * 13) % 100) / 10)::VARCHAR"
    question = (
        "'Review of a ' || ['kettle', 'chair', 'rucksack', 'lamp'][1 + (i % 4)::INT] || ' ' || i "
        "|| ': ' || md5(i::VARCHAR) || ' it was late, and I am not sure what to think of it.'"
    )
    answer = (
        f'\'{{"label": "\' || {label} || \'", "score": \' || {score} || \', "why": "\' || {why} '
        "|| '\"}'"
    )
    values = {
        "line": "i",
        "custom_id": "'row-' || i",
        "attempt": "''",
        "model": "'Qwen/Qwen3-30B'",
        "outcome": "CASE WHEN i % 50 = 0 THEN 'truncated' ELSE 'ok' END",
        "status_code": "200",
        "finish_reason": "CASE WHEN i % 50 = 0 THEN 'length' ELSE 'stop' END",
        "answer_model": "'Qwen/Qwen3-30B'",
        "input_tokens": "50 + hash(i) % 400",
        "output_tokens": "3 + hash(i * 7) % 300",
        "cost_usd": "(50 + hash(i) % 400) * 0.00000005",
        "error_code": "''",
        "error_message": "''",
        "question": question,
        "question_length": f"length({question})",
        "answer": answer,
        "answer_length": f"length({answer})",
        "searched": f"lower('row-' || i || chr(10) || {question} || chr(10) || {answer})",
        "f0": label,
        "f1": score,
        "f2": why,
        "f3": "(i % 7 = 0)::VARCHAR",
    }
    fields = [("f0", "label", "text"), ("f1", "score", "number")]
    fields += [("f2", "why", "text"), ("f3", "urgent", "boolean")]
    with schema.connect(path, read_only=False) as connection:
        schema.create_results(connection, schema.MERGED)
        for name, _, _ in fields:
            connection.execute(f"ALTER TABLE {schema.MERGED} ADD COLUMN {name} VARCHAR")
        connection.execute(
            f"INSERT INTO {schema.MERGED} ({', '.join(values)}) "
            f"SELECT {', '.join(values.values())} FROM range(1, {size + 1}) AS numbers(i)"
        )
        connection.execute(
            f"CREATE TABLE {schema.MERGED}_fields "
            "(name VARCHAR, label VARCHAR, kind VARCHAR, filled INTEGER)"
        )
        for field in fields:
            connection.execute(
                f"INSERT INTO {schema.MERGED}_fields VALUES (?, ?, ?, {size})", list(field)
            )
        connection.execute("CREATE TABLE source_columns (name VARCHAR, label VARCHAR)")
        connection.execute("CHECKPOINT")
        statistics.write_statistics(connection)


if __name__ == "__main__":
    main()
