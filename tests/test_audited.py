"""Each service that writes is in the audit, or the table says why not; new ones are noticed."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from batchapp.access import NotAllowed
from batchapp.domain.refused import Refused
from batchapp.models import AuditEvent, AuditKind, User
from batchapp.presenters.audit_text import audit_text, changes_of, who
from batchapp.services.direct import direct_requests
from batchapp.services.files import checked_upload, correct_file, upload_intake
from batchapp.services.health import system_status
from batchapp.services.imports import start_import
from batchapp.services.mail import outbox
from batchapp.services.notifications import inbox
from batchapp.services.notifications import preferences as notice_preferences
from batchapp.services.offered_models import model_table
from batchapp.services.orders import readiness
from batchapp.services.people import accounts, invitations, profile, sessions
from batchapp.services.providers import provider_keys
from batchapp.services.results import retry_file
from batchapp.services.results.columns import compare_columns, freshness
from batchapp.services.reuse import reduced_file
from batchapp.services.saved_views import saved_views
from batchapp.services.tables import answer_tables, requests_from_table, table_import
from tests.make import finish, make_batch, make_project, make_user
from tests.test_rights import SERVICES, WITHOUT_A_RIGHT, World, name_of, written
from tests.variables import ROOT

pytestmark = pytest.mark.django_db

FILE = "the row of the file says who made it, when and of what; nothing is sent before an order"
TABLE = "the row of the table says who brought it and when; a file that is made of it as well"
OWN = "it is what the person alone reads and chose for himself or herself"
VIEW = "a saved view is a name for a filter; it holds no data and gives no right"

NOT_AUDITED: dict[Callable[..., Any], str] = {
    correct_file.request_correction: FILE,
    direct_requests.open_request: "the row of the request says who sent it, when and by which key",
    upload_intake.receive_file: FILE,
    upload_intake.store: FILE,
    upload_intake.receive_sample: FILE,
    upload_intake.store: FILE,
    checked_upload.receive_checked_file: FILE,
    upload_intake.check_again: "the portal reads the file once more; the file stays as it is",
    reduced_file.request_reduced_file: FILE,
    retry_file.request_retry_file: FILE,
    answer_tables.request_table: TABLE,
    table_import.receive_table: TABLE,
    table_import.read_again: TABLE,
    requests_from_table.save_settings: TABLE,
    requests_from_table.request_file: FILE,
    requests_from_table.save_template: "each version of a template says who saved it and when",
    requests_from_table.return_without_right: "a worker does, for a person who asked before",
    start_import.request_imports: "the batch is recorded as imported once it is entered",
    start_import.retry_import: "the batch is recorded as imported once it is entered",
    start_import.dismiss: "it takes a failed attempt off a list; no batch was entered",
    compare_columns.open_comparison: "it notes that somebody reads what is stored",
    system_status.read_status: "it notes how the parts of the portal answered",
    freshness.request_columns: "the portal prepares what is stored already, to show it faster",
    provider_keys.test_key: "only the result of the test is stored, beside the key",
    readiness.check_readiness: "only the result of the test of a key is stored",
    outbox.try_again: "the portal sends what it owes, once more",
    invitations.mark_mailed: "the invitation was recorded when it was made",
    accounts.forget_waiting_addresses: "such an address was never proven, and signs nobody in",
    accounts.verify_address: "the change that brought the address is recorded",
    sessions.note_activity: "it notes that a browser was seen",
    sessions.note_presence: "it notes that a person was seen",
    saved_views.save_view: VIEW,
    saved_views.change_view: VIEW,
    saved_views.delete_view: VIEW,
    inbox.mark: OWN,
    inbox.mark_all_read: OWN,
    inbox.mark_batch_read: OWN,
    inbox.undo: OWN,
    notice_preferences.save_channels: OWN,
    notice_preferences.forget_project: OWN,
    notice_preferences.save_settings: OWN,
    notice_preferences.switch_off_emails: OWN,
}

# Command -> how it is in the audit, or why not.
COMMANDS = {
    "bootstrap": "audited: by the services that it calls, as of a command",
    "demo": "it makes a portal of samples",
    "export": "audited: a download",
    "import_batch": "audited: an imported batch",
    "make_batch": "audited: a download, if it reads answers of the portal",
    "preflight": "it reads a file of the caller",
    "purge": "audited: deleted requests and answers",
    "rebuild": "it writes what the stored files say already",
    "retry": "audited: an ordered batch",
    "rotate_keys": "audited: secrets that are encrypted again",
    "run": "audited: an ordered batch, and downloads",
    "sandbox": "it is no part of the portal",
    "serve": "it starts the processes",
    "verify": "it reads",
}
# Module -> why what it sends is no download of data.
NO_DOWNLOADS = {
    "views/prices/price_list.py": "the prices of a connection, which are no data of a project",
    "views/offered_models/offered_model_list.py": "models, which are no data of a project",
    "api/content.py": "it sends what the routes of files.py record",
}
WRITES = re.compile(r"\.(save|create|bulk_create|update|bulk_update|delete|end)\(")
RECORDS = re.compile(r"AuditEvent|Event\b|\.tell\(|_record\(|_end\(|_answer\(|\.record\(")


def tables_written(world: World, user: User, call: Callable[[World, User], object]) -> set[str]:
    """Make the call, undo it, and return the tables that it wrote to."""
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        try:
            call(world, user)
        except (NotAllowed, Refused):  # such as a file that an earlier call has deleted
            pass
        finally:
            transaction.set_rollback(True)
    statements = filter(None, map(written, queries))
    return {re.findall(r'"(\w+)"', sql)[0] for sql in statements}


def test_what_a_service_writes_is_recorded_or_the_table_says_why_not() -> None:
    world = World()
    people = [world.people[name] for name in ("editor", "owner", "administrator")]
    silent, recorded = set(), set()
    for service, _, call in SERVICES:
        tables = set().union(*(tables_written(world, person, call) for person in people))
        if "batchapp_auditevent" in tables:
            recorded.add(service)
        elif tables:
            silent.add(service)

    in_table = {service for service in NOT_AUDITED if service not in WITHOUT_A_RIGHT}
    assert len(recorded) > 60
    assert {name_of(service) for service in silent - in_table} == set()
    assert {name_of(service) for service in recorded & in_table} == set()


def test_what_asks_for_no_right_is_recorded_as_well() -> None:
    forgotten = {
        name_of(service)
        for service in WITHOUT_A_RIGHT
        if WRITES.search(source := inspect.getsource(service))
        and not RECORDS.search(source)
        and service not in NOT_AUDITED
    }

    assert forgotten == set()


def test_each_command_is_in_the_audit_or_the_table_says_why_not() -> None:
    folder = ROOT / "batchapp/management/commands"

    assert {path.stem for path in folder.glob("[a-z]*.py")} == COMMANDS.keys()


def test_data_that_a_command_takes_out_is_recorded(tmp_path: Any) -> None:
    batch = finish(make_batch(make_project(make_user(), role="owner"), name="Tickets"))
    call_command("export", str(batch.pk), output=str(tmp_path / "results.csv"), stderr=_Nowhere())

    event = AuditEvent.objects.get(kind=AuditKind.DOWNLOADED)

    assert audit_text(event) == "Downloaded the results of Tickets."
    assert (event.project, event.actor, event.source) == (batch.project, None, "command")
    assert who(event) == "Command on the server"


def test_whatever_sends_a_file_records_a_download() -> None:
    sends = re.compile(r"[ =](download|download_csv|StreamingHttpResponse)\(|as_attachment")
    silent = {
        str(path.relative_to(ROOT / "batchapp"))
        for folder in ("views", "api")
        for path in (ROOT / "batchapp" / folder).rglob("*.py")
        if sends.search(text := path.read_text())
        and not re.search(r"note_download\(|record_(part|report)\(", text)
    }

    assert silent == NO_DOWNLOADS.keys()


def test_facts_of_a_model_have_their_values_before_and_after() -> None:
    world = World()
    administrator = world.people["administrator"]
    world.model.context_tokens, world.model.inputs = 32_768, ["text", "image"]

    model_table.save(world.model, administrator)
    model_table.import_csv(world.project.connection, administrator, "model\nacme/new\n")
    model_table.import_csv(world.project.connection, administrator, "model\nacme/new\n")
    model_table.remove(world.model, administrator)

    kinds = [AuditKind.MODEL_CHANGED, AuditKind.MODELS_WRITTEN, AuditKind.MODEL_REMOVED]
    events = list(AuditEvent.objects.filter(kind__in=kinds).order_by("pk"))
    assert [event.kind for event in events] == kinds
    changes = {row.name: (row.before, row.after) for row in changes_of(events[0].data)}
    assert changes == {
        "Context tokens": ("none", "32,768"),
        "Inputs": ("none", "text, image"),
    }
    assert "1 added, 0 changed" in audit_text(events[1])


def test_a_secret_of_webhooks_is_recorded_without_the_secret() -> None:
    world = World()
    owner = world.people["owner"]

    provider_keys.set_webhook_secret(world.key, owner, "whsec_0123456789")
    provider_keys.set_webhook_secret(world.key, owner, "")

    first, second = AuditEvent.objects.order_by("pk").filter(data__key=str(world.key.pk))
    assert audit_text(first).startswith(
        f"Set the webhook secret of the provider key {world.key.name}"
    )
    assert audit_text(second).startswith("Removed the webhook secret")
    assert "whsec" not in str(first.data) + first.names


def test_a_new_name_and_browsers_that_were_signed_out_are_recorded() -> None:
    person = make_user("ada@example.com", first_name="Ada")

    profile.change_profile(person, first_name="Ada", last_name="King", time_zone="Europe/Berlin")
    profile.change_profile(person, first_name="Ada", last_name="King", time_zone="Europe/Berlin")

    event = AuditEvent.objects.get(kind=AuditKind.NAME_CHANGED)
    changes = {row.name: (row.before, row.after) for row in changes_of(event.data)}
    assert changes["Last name"][1] == "King"
    assert changes["Time zone"] == ("none", "Europe/Berlin")
    assert User.objects.get(pk=person.pk).last_name == "King"


class _Nowhere:
    def write(self, text: str) -> None:
        pass

    def isatty(self) -> bool:
        return False
