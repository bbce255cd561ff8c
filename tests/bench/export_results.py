"""What an export of 126,000 results takes, compared with a bare loop that reads and writes them.

python -m tests.bench.export_results [ROWS]

The bare loop reads the rows of the table and the stored result lines, decodes both, and writes
them with Python's CSV writer. The memory is what a process takes for all rows beyond what it takes
for one.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

ROWS, TARGET = 126_000, 1.5
ROUNDS = {"csv": 5}  # of the format with a target; the others run once
WORDS = "late kettle review chair bought arrived slow delivery nice colour, broken red"
FORMATS = ("csv", "parquet", "joined", "raw", "xlsx")


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        _seed(folder, rows)
        # A process of its own, whose memory the seeding has not touched.
        subprocess.run(
            [sys.executable, "-m", "tests.bench.export_results", folder, "-"], check=True
        )


def _set_up(folder: str) -> None:
    os.environ["DATA_DIR"] = folder
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django  # noqa: PLC0415  # only now is the folder its own

    django.setup()


def _seed(folder: str, rows: int) -> None:
    _set_up(folder)
    from django.core.management import call_command  # noqa: PLC0415

    from tests.answered import answer_table  # noqa: PLC0415
    from tests.make import (  # noqa: PLC0415
        build_columns,
        make_connection,
        make_project,
        make_user,
    )

    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    words = WORDS.split()
    reviews = [" ".join(words[n % 12 :] + words[: n % 12]) + f" {n}" for n in range(rows)]
    table = "review,sku,stars\n" + "".join(
        f'"{review}",{n:08d},{n % 5}\n' for n, review in enumerate(reviews)
    )
    answers = [
        f'{{"label": "{words[n % 12].strip(",")}", "score": {n % 100}, "why": "{review}"}}'
        for n, review in enumerate(reviews)
    ]
    user = make_user()
    project = make_project(user, connection=make_connection(max_requests=rows))
    batch = answer_table(project, user, table, "Judge this review: {review}", answers)
    build_columns(batch)
    sys.stdout.write(f"{rows:,} rows made in {time.perf_counter() - started:.0f} s\n")


def _measure(folder: str) -> None:
    _set_up(folder)
    from batchapp.domain.results.export_settings import ExportSettings  # noqa: PLC0415
    from batchapp.domain.results.result_filter import ResultFilter  # noqa: PLC0415
    from batchapp.models import ResultColumns  # noqa: PLC0415
    from batchapp.services.results.exports.write_export import write_export  # noqa: PLC0415

    columns = ResultColumns.objects.get()
    user = columns.batch.created_by
    path = Path(folder, "export")

    def export(code: str, settings: ExportSettings) -> None:
        with path.open("wb") as file:
            write_export(columns, user, code, settings, file)

    one = ExportSettings(ResultFilter(text=f"row-{1:05d}"))
    for code in FORMATS:
        export(code, one)
    before = _peak_mib()
    bare = _median(lambda: _bare_loop(columns, path), ROUNDS["csv"])
    ratio = 0.0
    for code in FORMATS:
        seconds = _median(partial(export, code, ExportSettings()), ROUNDS.get(code, 1))
        ratio = ratio or seconds / bare
        sys.stdout.write(
            f"{code}: {seconds:.2f} s, {seconds / bare:.2f} times the bare loop of {bare:.2f} s, "
            f"{path.stat().st_size / 2**20:.0f} MiB, memory {_peak_mib() - before:.0f} MiB\n"
        )
    sys.stdout.write(f"CSV: {ratio:.2f} times the bare loop (target {TARGET})\n")


def _bare_loop(columns: object, path: Path) -> None:
    from batchapp.models import ResultChunk, SourceTable  # noqa: PLC0415

    class Message(msgspec.Struct):
        content: str

    class Choice(msgspec.Struct):
        message: Message

    class Body(msgspec.Struct):
        choices: list[Choice]
        usage: dict[str, int]

    class Response(msgspec.Struct):
        body: Body

    class Line(msgspec.Struct):
        custom_id: str
        response: Response

    decode = msgspec.json.Decoder(Line).decode
    decode_answer = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    rows = SourceTable.objects.get().open_rows()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        for chunk in ResultChunk.objects.order_by("pk"):
            for text in chunk.read_lines():
                line = decode(text)
                answer = line.response.body.choices[0].message.content
                fields = [bytes(each).decode() for each in decode_answer(answer).values()]
                writer.writerow([*next(rows).values(), answer, *fields, "ok", ""])


def _median(call: Callable[[], None], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _peak_mib() -> float:
    """Return the most memory of this process; ``getrusage`` counts that of its parent, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _measure(sys.argv[1])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
