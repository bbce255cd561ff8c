"""The time of every page with a thousand and with a million results, in a portal of that size.

python -m tests.bench.pages [--results 1000000] [--batches 10000] [--only NAME …]

One batch has all the results, the others have none; all are spread over two years, people,
projects, keys, models and labels. Every page that can be opened, or each one whose name begins as
--only says, is opened some times in this process, so that only the work of the server counts: no
network and no waiting for others. The database is that of
DATABASE_URL, by default SQLite; the rows are in a test database of their own. Files are on disk in
any case: the object storage of the tests takes a large file into memory for each range that is
read. Columns files have a measurement of their own.
"""

import os
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

SMALL_RESULTS, SMALL_BATCHES = 1_000, 100
PEOPLE, PROJECTS = 200, 20
ROUNDS, WARM_UP = 15, 3
MOST_MILLISECONDS = 60
MOST_MILLISECONDS_OF_REPORT = 150  # each grouping, over two years
MOST_RATIO = 1.3
NOISE_MILLISECONDS = 5
"""A page that is slower by less than this is as fast as before."""

# Pages that answer with something else than a page, or that change something.
LEFT_OUT = {"healthz", "readyz", "icons", "logout", "webhook_receive", "guide_article"}


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--results", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        os.environ["DATA_DIR"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        os.environ["LOG_LEVEL"] = "ERROR"
        os.environ.pop("STORAGE_URL", None)
        import django  # noqa: PLC0415  # only now is the folder its own

        django.setup()
        from django.core.management import call_command  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        call_command("collectstatic", interactive=False, verbosity=0)
        connection.creation.create_test_db(verbosity=0)
        try:
            small = Portal(SMALL_RESULTS, SMALL_BATCHES).times(options.only)
            large = Portal(options.results, options.batches).times(options.only)
        finally:
            connection.creation.destroy_test_db("", verbosity=0)
    _write(connection.vendor, small, large)


def _write(vendor: str, small: dict[str, list[float]], large: dict[str, list[float]]) -> None:
    sys.stdout.write(f"{vendor}: milliseconds, median of a small portal, of a large one, p95\n")
    slow = 0
    for name, times in sorted(large.items(), key=lambda item: -statistics.median(item[1])):
        before, median = statistics.median(small[name]), statistics.median(times)
        p95 = sorted(times)[int(len(times) * 0.95)]
        grew = median > MOST_RATIO * before and median - before > NOISE_MILLISECONDS
        is_report = name.startswith(("cost_report", "reliability", "estimate_accuracy"))
        # A report reads every batch of its days, so a larger portal may take longer.
        is_slow = (
            median > MOST_MILLISECONDS_OF_REPORT
            if is_report
            else (p95 > MOST_MILLISECONDS or grew)
        )
        slow += is_slow
        sys.stdout.write(
            f"{name:<26} {before:8.1f} {median:8.1f} {p95:8.1f}  x {median / before:4.1f}"
            f"{'  NOT reached' if is_slow else ''}\n"
        )
    sys.stdout.write(
        f"{len(large) - slow} of {len(large)} pages within {MOST_MILLISECONDS} ms and "
        f"{MOST_RATIO} times the small portal's time\n"
    )


class Portal:
    """A project with batches, of which one has results; the rows of earlier portals stay."""

    def __init__(self, results: int, batches: int) -> None:
        from tests import make  # noqa: PLC0415

        self.user = make.make_administrator()
        self.project = make.make_project(self.user, role=make.OWNER)
        self.key = make.make_key(self.project)
        self.batch = make.make_batch(self.project, self.user, key=self.key)
        make.finish(self.batch)
        self.table = make.make_table(self.project, self.user)
        self._add_batches(batches - 1)
        self._vary()
        self._add_results(results)

    def times(self, only: Collection[str]) -> dict[str, list[float]]:
        """Return page -> milliseconds of each time it was opened; of all pages, or ``only``."""
        from django.test import Client  # noqa: PLC0415

        client = Client(SERVER_NAME="localhost")
        client.force_login(self.user)
        times: dict[str, list[float]] = {}
        for name, address in self._addresses():
            page = []
            if only and not name.startswith(tuple(only)):
                continue
            response = client.get(address)
            if response.status_code != 200 or response.streaming:
                response.close()  # a download, a page of another state, or a POST
                continue
            for _ in range(WARM_UP + ROUNDS):
                started = time.perf_counter()
                client.get(address)
                page.append((time.perf_counter() - started) * 1000)
            times[name] = page[WARM_UP:]
        return times

    def _addresses(self) -> Iterator[tuple[str, str]]:
        from django.urls import reverse  # noqa: PLC0415
        from django.utils import timezone  # noqa: PLC0415

        from batchapp.urls import urlpatterns  # noqa: PLC0415

        rows = {
            "batches": self.batch.pk,
            "files": self.batch.upload_id,
            "keys": self.key.pk,
            "tables": self.table.pk,
        }
        for pattern in urlpatterns:
            arguments: dict[str, Any] = {}
            converters = set(pattern.pattern.converters)
            if "pk" in converters:
                arguments["pk"] = rows.get(str(pattern.pattern).split("/")[0])
            if "slug" in converters:
                arguments["slug"] = self.project.slug
            if "line" in converters:
                arguments["line"] = self.batch.requests // 2
            is_known = converters == arguments.keys() and None not in arguments.values()
            if is_known and pattern.name and pattern.name not in LEFT_OUT:
                yield pattern.name, reverse(pattern.name, kwargs=arguments)
        results = reverse("result_list", args=[self.batch.pk])
        yield "result_list, middle", f"{results}?after={self.batch.requests // 2}"
        yield "result_list, failed", f"{results}?outcome=failed"
        yield "batch_list, search", f"{reverse('batch_list')}?q=no+such+batch"
        yield "batch_list, failed", f"{reverse('batch_list')}?status=failed"
        yield "batch_list, tag", f"{reverse('batch_list')}?tag=tag-1"
        yield "batch_list, person", f"{reverse('batch_list')}?person={self._author()}"
        yield (
            "batch_list, tag of a person",
            f"{reverse('batch_list')}?tag=tag-1&person={self._author()}",
        )
        for state in ("", "?state=revoked"):
            yield f"portal_key_list{state}", f"{reverse('portal_key_list')}{state}"
        today = timezone.localdate()
        year = f"first={today - timedelta(days=364)}&last={today}"
        yield "cost_report, year", f"{reverse('cost_report')}?{year}"
        yield from self._reports(f"first={today - timedelta(days=730)}&last={today}")

    def _reports(self, days: str) -> Iterator[tuple[str, str]]:
        """Yield the report of two years by each group, as figures and as tables."""
        from django.urls import reverse  # noqa: PLC0415

        from batchapp.services.reports.dimensions import DIMENSIONS  # noqa: PLC0415

        url = reverse("cost_report")
        for by in DIMENSIONS:
            yield f"cost_report, {by}", f"{url}?{days}&by={by}"
            yield f"cost_report, {by} all", f"{url}?{days}&by={by}&all=1"
            across = "model" if by != "model" else "project"
            yield f"cost_report, {by} x {across}", f"{url}?{days}&by={by}&across={across}"
            yield f"cost_report, {by} x time", f"{url}?{days}&by={by}&across=time"
        yield "cost_report, top", f"{url}?{days}&order=cost"
        yield "cost_report, one tag", f"{url}?{days}&tag=tag-1"
        yield "cost_report, one cost centre", f"{url}?{days}&cost_centre={self._cost_centre()}"
        yield "cost_report, one person", f"{url}?{days}&user={self._author('email')}"
        yield "cost_report, one model", f"{url}?{days}&model=model-1&only=failed"
        yield "reliability, two years", f"{reverse('reliability')}?{days}"

    def _author(self, field: str = "pk") -> str:
        """Return the id or the address of somebody who ordered batches of the project."""
        from batchapp.models import Batch  # noqa: PLC0415

        batches = Batch.objects.filter(project=self.project).order_by("created_at")
        return str(batches.values_list(f"created_by__{field}", flat=True)[:1].get())

    def _cost_centre(self) -> str:
        from batchapp.models import Batch  # noqa: PLC0415

        batches = Batch.objects.filter(project=self.project).exclude(cost_centre="")
        return quote_plus(batches.order_by("created_at").values_list("cost_centre", flat=True)[0])

    def _add_batches(self, number: int) -> None:
        from batchapp.models import Batch, ModelCost, ProviderBatch  # noqa: PLC0415

        batches = [
            _copy(self.batch, name=f"Batch {n:,}", finished_at=self.batch.finished_at)
            for n in range(number)
        ]
        Batch.objects.bulk_create(batches, batch_size=500)
        step = timedelta(days=730) / max(1, number)
        for n, batch in enumerate(batches):
            batch.created_at = self.batch.created_at - n * step
            batch.finished_at = batch.created_at + timedelta(hours=1)
        Batch.objects.bulk_update(batches, ["created_at", "finished_at"], batch_size=500)
        for model, time_of_end in ((ProviderBatch, "ended_at"), (ModelCost, "measured_at")):
            (row,) = model.objects.filter(batch=self.batch)
            copies = [
                _copy(row, batch_id=batch.pk, **{time_of_end: batch.finished_at})
                for batch in batches
            ]
            model.objects.bulk_create(copies, batch_size=500)

    def _vary(self) -> None:
        """Spread the batches over people, projects, keys, models, windows, tags and labels."""
        from batchapp.models import Batch, BatchTag, ModelCost, Tag  # noqa: PLC0415
        from tests import make  # noqa: PLC0415

        batches = list(Batch.objects.filter(project=self.project).order_by("created_at"))
        people = [make.make_user() for _ in range(min(PEOPLE, len(batches)))]
        projects = [self.project, *(make.make_project(people[0]) for _ in range(PROJECTS - 1))]
        keys = {project.pk: [make.make_key(project) for _ in range(2)] for project in projects}
        tags = {
            project.pk: [Tag.objects.create(project=project, name=f"tag-{n}") for n in range(8)]
            for project in projects
        }
        rows = []
        for n, batch in enumerate(batches[:-1]):  # the last is the batch with results
            project = self.project if n % 2 else projects[n // 2 % PROJECTS]  # one is large
            batch.project, batch.key = project, keys[project.pk][n // PROJECTS % 2]
            batch.created_by = people[n * 7 % len(people)]
            batch.cost_centre = f"CC {n % 13}" if n % 13 != 12 else ""
            batch.window = ("24h", "1h")[n % 3 == 0]
            own = tags[project.pk]
            rows += [BatchTag(batch=batch, tag=own[(n + k) % 8]) for k in range(n % 3)]
        fields = ["project", "key", "created_by", "cost_centre", "window"]
        Batch.objects.bulk_update(batches, fields, batch_size=500)
        BatchTag.objects.bulk_create(rows, batch_size=500)
        costs = list(ModelCost.objects.filter(batch__in=batches).order_by("batch_id"))
        for n, cost in enumerate(costs):
            cost.model = f"model-{n % 12}"
            cost.cut_short = n % 5
        ModelCost.objects.bulk_update(costs, ["model", "cut_short"], batch_size=500)

    def _add_results(self, number: int) -> None:
        """Give the batch ``number`` results, in files whose lines are all of one length."""
        from django.core.files import File  # noqa: PLC0415
        from django.db import connection  # noqa: PLC0415

        from batchapp.models import Batch, Result, ResultChunk, Upload  # noqa: PLC0415

        first = Result.objects.filter(batch=self.batch).order_by("line")[0]
        with self.batch.upload.blob.open("rb") as blob:
            request = blob.readline().rstrip(b"\n").ljust(300)
        assert first.result_chunk
        with first.result_chunk.blob.open("rb") as blob:
            answer = blob.readline().rstrip(b"\n").ljust(400)
        for row, line in ((self.batch.upload, request), (first.result_chunk, answer)):
            with tempfile.TemporaryFile() as file:
                file.writelines(line + b"\n" for _ in range(number))
                file.seek(0)
                row.blob.save("lines.jsonl", File(file))
        Result.objects.filter(batch=self.batch).delete()
        good = number - number // 50
        counts = {"requests": number, "succeeded": good, "usable": good, "failed": number - good}
        Batch.objects.filter(pk=self.batch.pk).update(**counts)
        Upload.objects.filter(pk=self.batch.upload_id).update(requests=number)
        ResultChunk.objects.filter(pk=first.result_chunk_id).update(lines=number)
        self.batch.requests = number
        computed = {
            "line": "i",
            "custom_id": "'row-' || i",
            "request_at": f"(i - 1) * {len(request) + 1}",
            "answer_at": f"(i - 1) * {len(answer) + 1}",
            "outcome": "CASE WHEN i %% 50 = 0 THEN 'provider_error' ELSE 'ok' END",
        }
        given = {
            field.column: field.get_db_prep_save(getattr(first, field.attname), connection)
            for field in Result._meta.concrete_fields
            if field.column not in {"id", *computed} and getattr(first, field.attname) is not None
        }
        given |= {"request_bytes": len(request), "answer_bytes": len(answer)}
        columns = [*computed, *given]
        values = [*computed.values(), *["%s"] * len(given)]
        numbers = (
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {Result._meta.db_table} ({', '.join(columns)}) "
                f"{numbers} SELECT {', '.join(values)} FROM n",
                list(given.values()),
            )
            cursor.execute("ANALYZE")


def _copy(row: Any, **fields: Any) -> Any:
    """Return an unsaved copy of ``row`` with another key and other ``fields``."""
    kept = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key and field.attname not in {"submission", "created_at"}
    }
    return type(row)(**kept | fields)


if __name__ == "__main__":
    main()
