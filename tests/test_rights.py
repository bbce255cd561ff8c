"""What each service lets each person do; a service that takes a person and is not here fails."""

import inspect
import pkgutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from importlib import import_module
from io import BytesIO
from typing import Any

import httpx
import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import FileField
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from batchapp import services
from batchapp.access import OPERATOR, NotAllowed, Right
from batchapp.domain.batch_labels import Labels
from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.direct_call import CHAT, DirectCall
from batchapp.domain.model_cards import ModelCard
from batchapp.domain.money.budgets import ReservePolicy
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.domain.results.retry_selection import Selection
from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.table_reader import ReadOptions
from batchapp.models import (
    REALTIME,
    AuditEvent,
    AuditKind,
    Batch,
    BatchImport,
    Connection,
    Export,
    MonthClosing,
    NoticeKind,
    OfferedModel,
    OutgoingEmail,
    PortalKey,
    Price,
    Project,
    ProviderBatch,
    ProviderKey,
    ResultChunk,
    ResultColumns,
    StatementRecipient,
    User,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.models.notifications.preferences import DEFAULT_CHANNELS
from batchapp.services.approvals import decisions, policy
from batchapp.services.approvals import inbox as approval_inbox
from batchapp.services.approvals.policy import PolicySettings
from batchapp.services.archive import project_deletion, purge, retention
from batchapp.services.audit import browse as audit_log
from batchapp.services.audit import downloads
from batchapp.services.budgets import budget_use, budgets
from batchapp.services.budgets.budgets import BudgetSettings
from batchapp.services.direct import direct_requests
from batchapp.services.files import checked_upload, correct_file, upload_intake
from batchapp.services.health import system_status
from batchapp.services.imports import start_import
from batchapp.services.labels import batch_labels
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.mail import outbox
from batchapp.services.mail.outbox import NotSent
from batchapp.services.notifications import email_links, inbox
from batchapp.services.notifications import preferences as notice_preferences
from batchapp.services.offered_models import model_table
from batchapp.services.orders import (
    order_approval,
    other_models,
    place_order,
    price_quotes,
    readiness,
    script_order,
    window_times,
)
from batchapp.services.orders.script_order import ScriptOrder
from batchapp.services.people import (
    accounts,
    deactivate,
    invitations,
    portal_roles,
    profile,
    second_factors,
    sessions,
)
from batchapp.services.people.portal_roles import PortalRole
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.authenticate import authenticate
from batchapp.services.portal_keys.portal_keys import KeySettings, NewSecret
from batchapp.services.prices import price_facts, price_lists, price_table
from batchapp.services.projects import join_project, members, projects
from batchapp.services.providers import connections, provider_keys
from batchapp.services.reports import estimate_accuracy
from batchapp.services.reports.scope import Scope
from batchapp.services.results import (
    browse,
    comparable_batches,
    merge,
    newest_answers,
    problems,
    request_lines,
    result_files,
    retry_file,
    reused_answers,
)
from batchapp.services.results.columns import compare_columns, freshness, open_columns
from batchapp.services.results.exports import content, export_files, write_export
from batchapp.services.reuse import reduced_file
from batchapp.services.saved_views import saved_views
from batchapp.services.statements import closing, part, preview, recipients
from batchapp.services.tables import answer_tables, requests_from_table, table_import
from batchapp.services.webhooks import endpoints, messages
from batchapp.services.webhooks.endpoints import EndpointSettings
from tests.make import (
    EDITOR,
    MODEL,
    OWNER,
    VIEWER,
    answer_line,
    ask_approval,
    error_line,
    finish,
    join,
    make_administrator,
    make_auditor,
    make_batch,
    make_budget,
    make_connection,
    make_import,
    make_invitation,
    make_key,
    make_portal_key,
    make_project,
    make_service_key,
    make_table,
    make_upload,
    make_user,
    request_file,
    set_state,
)
from tests.provider import Provider
from tests.webhook_rows import make_endpoint, notify

pytestmark = pytest.mark.django_db

ALLOWED, REFUSED = "allowed", "refused"
READ_KEY = KeySettings("nightly", PortalKey.Scope.READ)
PROMPT = PromptSettings(model=MODEL, prompt="{text}")
WEBHOOK = EndpointSettings(
    "New", "https://example.com/", WebhookEndpoint.Format.STANDARD, [NoticeKind.BATCH_FINISHED]
)
FIVE = UnitPrice(input=Decimal(5), output=Decimal(5))
PRICES = f"model,window,input_usd,output_usd,source\n{MODEL},24h,5,6,a letter\n"
DAY = timedelta(days=1)
HUNDRED = BudgetSettings(Decimal(100), "tell", (100,))
POLICY = PolicySettings(Decimal(5), by_most=False, if_unbounded=True, of_own=False, days=7)


def send_test(world: "World", user: User) -> None:
    """Send a test, which the tests have no mail server for."""
    with pytest.raises((NotSent, NotAllowed)) as raised:
        outbox.send_test(user)
    if isinstance(raised.value, NotAllowed):
        raise raised.value


def add_recipient(project: Project | None, user: User, **fields: str) -> object:
    """Add an address where there is a mail server, which the tests do not have."""
    with override_settings(EMAIL_SERVER={"host": "127.0.0.1"}):
        return recipients.add(project, user, "new@acme.test", **fields)


class World:
    """A project with a row of each kind, and people of every kind."""

    def __init__(self) -> None:
        self.provider = Provider()
        models = httpx.Response(200, json={"data": [{"id": MODEL}]})
        self.provider.before = lambda call, _: models if call == "GET /v1/models" else None
        self.author = make_user()
        self.locked_out = make_user()
        Authenticator.objects.create(user=self.locked_out, type=Authenticator.Type.TOTP, data={})
        project = self.project = make_project(self.author)
        AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, self.author, project)
        self.people = people_around(project)
        self.unused_connection = make_connection()
        self.key, self.unused_key = make_key(project), make_key(project)
        self.upload, self.unused_upload = (make_upload(project, self.author) for _ in range(2))
        self.batch = make_batch(project, self.author, upload=self.upload, key=self.key)
        self.asked = ask_approval(project, self.author, upload=self.upload, key=self.key)
        attention = ProviderBatch.Parked.NEEDS_ATTENTION
        self.paused = self.parked(ProviderBatch.Parked.PAUSED, pause_requested_at=timezone.now())
        self.stopped = self.parked(attention)
        ended = make_batch(project, self.author, upload=self.upload, key=self.key)
        self.over = finish(ended, [answer_line(1)], [error_line(2), error_line(3)])
        held = make_batch(project, self.author, upload=self.upload, key=self.key)
        self.held = finish(held, [answer_line(1)])
        Batch.objects.filter(pk=held.pk).update(held_at=timezone.now())
        self.table = make_table(project, self.author, prompt_settings=PROMPT)
        failed = BatchImport.Status.FAILED
        self.failed_import = make_import(project, self.author, status=failed, next_check_at=None)
        self.export = Export(batch=self.over, requested_by=self.author)
        self.export.blob.save("results.csv", ContentFile(b"custom_id"))
        self.expired = Export.objects.create(
            batch=self.over, requested_by=self.author, status=Export.Status.EXPIRED
        )
        self.price = project.connection.prices.get(window="24h")
        other = project.connection.prices.get(window="1h")
        self.announced = price_table.correct(other, OPERATOR, FIVE, since=timezone.now() + DAY)
        self.email = OutgoingEmail(recipient="ada@example.com", subject="A link")
        self.email.text = "https://portal.test/"
        self.email.save()
        self.model = OfferedModel.objects.create(connection=project.connection, model=MODEL)
        self.portal_key = make_portal_key(self.author, project).key
        self.service_key = make_service_key(project).key
        self.archived = make_project(self.author, role=OWNER, archived_at=timezone.now())
        for name in ("viewer", "editor", "owner", "deactivated"):
            role = self.people[name].memberships.get(project=project).role
            join(self.people[name], self.archived, role)
        self.budget = make_budget(project, 1_000_000, when_over="tell")
        self.view = saved_views.save_view(
            self.author, project, "Late", {"status": "late"}, is_shared=True
        )
        self.membership = join(make_user(), project).memberships.get()
        own_key = make_key(self.author, project.connection)
        self.own_key_batch = make_batch(project, self.author, upload=self.upload, key=own_key)
        self.invitation, self.portal_invitation = make_invitation(project), make_invitation(None)
        self.endpoint = make_endpoint(project, name="Told")
        (self.message,) = notify(self.endpoint)
        failed = WebhookMessage.Status.FAILED
        WebhookMessage.objects.update(status=failed, next_attempt_at=None)
        self.disabled_endpoint = make_endpoint(project, name="Untold", next_check_at=None)
        WebhookEndpoint.objects.filter(pk=self.disabled_endpoint.pk).update(
            status=WebhookEndpoint.Status.DISABLED
        )
        version = requests_from_table.save_template(project, self.author, "Triage", PROMPT)
        self.template = version.template
        self.month = MonthClosing.objects.create(month=date(2026, 1, 1))
        rows = StatementRecipient.objects
        self.recipient = rows.create(project=project, email="books@acme.test")
        self.recipient_of_cost_centre = rows.create(cost_centre="4711", email="books@acme.test")

    def parked(self, reason: str, **fields: Any) -> Batch:
        """A batch that waits for a person before it is sent."""
        batch = make_batch(self.project, self.author, upload=self.upload, key=self.key, **fields)
        waiting = ProviderBatch.Status.WAITING
        set_state(batch, status=waiting, parked_reason=reason, next_check_at=None)
        return batch

    def new_key(self) -> ProviderKey:
        """An unsaved key of the project."""
        return provider_keys.draft(self.project.connection, OPERATOR, "sk-new", owner=self.project)


@pytest.fixture(scope="module")
def made_once(module_rows: None) -> tuple[World, dict[str, bytes]]:
    """Return a world, and its stored files by their names."""
    world = World()
    files = {}
    for name in stored_names():
        with default_storage.open(name) as stored:
            files[name] = stored.read()
    return world, files


@pytest.fixture
def world(made_once: tuple[World, dict[str, bytes]], db: None) -> World:
    """Return the world as it was made, whatever an earlier test did to objects and files."""
    world, files = made_once
    for name, data in files.items():
        if not default_storage.exists(name):
            default_storage._save(name, ContentFile(data))  # ``save`` gives another name
    return deepcopy(world)


def stored_names() -> Iterator[str]:
    for model in apps.get_app_config("batchapp").get_models():
        for field in model._meta.fields:
            if isinstance(field, FileField):
                rows = model._default_manager.exclude(**{field.name: ""})
                yield from rows.values_list(field.name, flat=True)


def people_around(project: Project) -> dict[str, User]:
    """Return people of every kind; those who have nothing to say here are owners elsewhere."""
    former = join(make_user(), project, OWNER)
    former.memberships.all().delete()
    people = {
        "outsider": make_user(),
        "former member": former,
        "viewer": join(make_user(), project, VIEWER),
        "editor": join(make_user(), project, EDITOR),
        "owner": join(make_user(), project, OWNER),
        "deactivated": join(make_administrator(is_active=False), project, OWNER),
        "administrator": make_administrator(),
        "auditor": make_auditor(),
    }
    elsewhere = make_project(people["outsider"], former, people["owner"], role=OWNER)
    administrator = join(make_administrator(), project, OWNER)
    keys = {
        "read key": make_portal_key(people["owner"], project, scope="read"),
        "submit key": make_portal_key(people["owner"], project, scope="submit"),
        "manage key": make_portal_key(people["owner"], project, scope="manage"),
        "viewer's key": make_portal_key(people["viewer"], project, scope="manage"),
        "foreign key": make_portal_key(people["owner"], elsewhere, scope="manage"),
        "administrator's key": make_portal_key(administrator, project, scope="manage"),
    }
    return people | {name: acting_by(made) for name, made in keys.items()}


def acting_by(made: NewSecret) -> User:
    person = authenticate(made.secret, "192.0.2.1")
    assert person is not None
    return person


def doubleword() -> Connection:
    return Connection.objects.get(name="Doubleword")


def as_sandbox(connection: Connection) -> Connection:
    connection.is_sandbox = True  # unsaved
    return connection


def order(world: World, user: User, key: ProviderKey) -> object:
    return place_order.place_order(
        world.project, user, world.upload, key, window="24h", submission=uuid.uuid4()
    )


def check_readiness(world: World, user: User) -> object:
    report, connection = world.upload.report, world.project.connection
    assert report
    quotes = price_quotes.quote(report, connection, ["24h", "1h", REALTIME], timezone.now())
    with world.provider.client() as client:
        return readiness.check_readiness(world.upload, user, client, quotes, "24h")


def list_candidates(world: World, user: User, key: ProviderKey) -> object:
    with world.provider.client() as client:
        return start_import.list_candidates(world.project, user, key, client)


def try_key(world: World, user: User, key: ProviderKey) -> object:
    with world.provider.client() as client:
        return provider_keys.test_key(key, user, client)


def apply_prices(world: World, user: User) -> object:
    connection = world.project.connection
    fingerprint = price_lists.compare(connection, PRICES, timezone.now()).fingerprint
    return price_lists.apply(connection, user, PRICES, fingerprint=fingerprint)


def new_project(world: World) -> Project:
    return Project(name="New", slug=f"new-{uuid.uuid4()}", connection=world.project.connection)


def new_price(world: World) -> Price:
    fields = {"model": "New", "window": "24h", "input_usd": 1, "output_usd": 1}
    return Price(connection=world.project.connection, **fields)


def file() -> ContentFile:  # type: ignore[type-arg]  # not subscriptable at run time
    return ContentFile(b'{"custom_id": "one"}\n', "one.jsonl")


def open_no_columns(batch: Batch, user: User) -> str:
    with open_columns.open_columns(ResultColumns(batch=batch), user) as reader:
        return f"opened {reader}"


def open_no_content(batch: Batch, user: User) -> str:
    with content.open_content(ResultColumns(batch=batch), user, ExportSettings()) as opened:
        return f"opened {opened}"


def compare_nothing(batch: Batch, user: User) -> str:
    columns = [ResultColumns(batch=batch), ResultColumns(batch=batch)]
    with compare_columns.open_comparison(columns, user) as comparison:
        return f"compared {comparison}"


def text_of(pieces: Iterable[bytes]) -> bytes:
    return b"".join(pieces)


def read_audit_event(world: World, user: User) -> object:
    event = AuditEvent.objects.filter(project=world.project).first()
    assert event
    try:
        return audit_log.read_event(user, event.pk)
    except AuditEvent.DoesNotExist:
        return 0


def spent(world: World, user: User) -> int:
    today = timezone.localdate()
    scope = Scope(today - DAY, today + DAY, user, with_sandbox=True)
    return scope.model_costs().filter(batch=world.over).count()


# The right that a service asks for -> what comes of it for each person.
PEOPLE = [
    *("outsider", "former member", "viewer", "editor", "owner"),
    *("deactivated", "administrator", "auditor"),
    *("read key", "submit key", "manage key", "viewer's key", "foreign key"),
    "administrator's key",
]
# In the order of ``PEOPLE``.
CELLS: dict[str, str] = {
    Right.SEE: "- - + + + - - - + + + + - +",
    Right.WRITE: "- - - + + - - - - + + - - +",
    Right.STOP: "- - - + + - - - - + + - - +",
    Right.MANAGE: "- - - - + - - - - - + - - +",
    # By a person who is signed in: a member, and an owner.
    "own keys": "- - + + + - - - - - - - - -",
    "own inbox": "+ + + + + - + + - - - - - -",
    Right.IN_PERSON: "- - - - + - - - - - - - - -",
    Right.ADMINISTER: "- - - - - - + - - - - - - -",
    Right.AUDIT: "- - - - - - + + - - - - - -",
    Right.CREATE: "+ + + + + - + + - - - - - -",
    "audit": "- - - - + - + + - - + - - +",
    "report": "- - + + + - + + + + + + - +",
}

Call = Callable[[World, User], object]
DIRECT_CALL = DirectCall(CHAT, "a-model", b'{"model":"a-model"}')

SERVICES: list[tuple[Callable[..., Any], str, Call]] = [
    (
        order_approval.approve,
        Right.IN_PERSON,
        lambda w, u: order_approval.approve(fresh(w.asked), u, shown_prices=w.asked.price_tag),
    ),
    (
        decisions.deny,
        Right.IN_PERSON,
        lambda w, u: decisions.deny(fresh(w.asked), u, note="Not this month."),
    ),
    (
        policy.set_policy,
        Right.IN_PERSON,
        lambda w, u: policy.set_policy(w.project, u, POLICY),
    ),
    (
        purge.hold,
        Right.MANAGE,
        lambda w, u: purge.hold(fresh(w.over), u),
    ),
    (
        purge.end_hold,
        Right.MANAGE,
        lambda w, u: purge.end_hold(w.held, u),
    ),
    (
        purge.purge_now,
        Right.MANAGE,
        lambda w, u: purge.purge_now(fresh(w.over), u),
    ),
    (
        closing.close_by_hand,
        Right.ADMINISTER,
        lambda w, u: closing.close_by_hand(w.month.month, u),
    ),
    (
        recipients.recipients_of,
        Right.IN_PERSON,
        lambda w, u: len(recipients.recipients_of(w.project, u)),
    ),
    (
        recipients.recipients_of,
        Right.ADMINISTER,
        lambda w, u: len(recipients.recipients_of(None, u)),
    ),
    (
        recipients.add,
        Right.IN_PERSON,
        lambda w, u: add_recipient(w.project, u),
    ),
    (
        recipients.add,
        Right.ADMINISTER,
        lambda w, u: add_recipient(None, u, cost_centre="4711"),
    ),
    (
        recipients.remove,
        Right.IN_PERSON,
        lambda w, u: recipients.remove(w.recipient, u),
    ),
    (
        recipients.remove,
        Right.ADMINISTER,
        lambda w, u: recipients.remove(w.recipient_of_cost_centre, u),
    ),
    (
        preview.preview,
        Right.ADMINISTER,
        lambda w, u: preview.preview(w.month.month, u),
    ),
    (
        saved_views.save_view,
        Right.SEE,
        lambda w, u: saved_views.save_view(u, w.project, "New", {"q": "x"}),
    ),
    (
        saved_views.change_view,
        Right.MANAGE,
        lambda w, u: saved_views.change_view(fresh(w.view), u, "New", is_shared=True),
    ),
    (
        saved_views.delete_view,
        Right.MANAGE,
        lambda w, u: saved_views.delete_view(fresh(w.view), u),
    ),
    (
        batch_labels.set_labels,
        Right.WRITE,
        lambda w, u: batch_labels.set_labels(w.batch, u, Labels(("new",), "CC 1")),
    ),
    (
        batch_labels.change_tags,
        Right.WRITE,
        lambda w, u: len(batch_labels.change_tags([w.batch, w.over], u, add=["new"])),
    ),
    (
        batch_labels.set_default_cost_centre,
        Right.MANAGE,
        lambda w, u: batch_labels.set_default_cost_centre(w.project, u, "CC 1"),
    ),
    (
        budgets.set_budget,
        Right.IN_PERSON,
        lambda w, u: budgets.set_budget(w.project, u, MODEL, HUNDRED),
    ),
    (
        budgets.change_budget,
        Right.IN_PERSON,
        lambda w, u: budgets.change_budget(w.budget, u, HUNDRED),
    ),
    (
        budgets.remove_budget,
        Right.IN_PERSON,
        lambda w, u: budgets.remove_budget(w.budget, u),
    ),
    (
        budgets.set_reserve_policy,
        Right.IN_PERSON,
        lambda w, u: budgets.set_reserve_policy(w.project, u, ReservePolicy(by_most=True)),
    ),
    (budget_use.budgets_of, Right.SEE, lambda w, u: budget_use.budgets_of(w.project, u)),
    (budget_use.month_uses, Right.SEE, lambda w, u: len(budget_use.month_uses([w.project], u))),
    (
        budget_use.after_batch,
        Right.SEE,
        lambda w, u: budget_use.after_batch(w.asked.batch, u, w.asked.batch.model_costs.all()),
    ),
    (budget_use.room_for, Right.WRITE, lambda w, u: budget_use.room_for(w.project, u, [])),
    (
        retention.set_rule,
        Right.MANAGE,
        lambda w, u: retention.set_rule(w.project, u, 30),
    ),
    (
        correct_file.request_correction,
        Right.WRITE,
        lambda w, u: correct_file.request_correction(
            w.upload, u, Choice(frozenset({CorrectionKind.SET_MODEL})), submission=uuid.uuid4()
        ),
    ),
    (
        upload_intake.receive_file,
        Right.WRITE,
        lambda w, u: upload_intake.receive_file(w.project, u, file(), name="one.jsonl"),
    ),
    (
        checked_upload.receive_checked_file,
        Right.WRITE,
        lambda w, u: checked_upload.receive_checked_file(
            w.project, u, ContentFile(request_file()), name="one.jsonl"
        ),
    ),
    (
        result_files.read_result_lines,
        Right.SEE,
        lambda w, u: result_files.read_result_lines(w.batch, u, ResultChunk.Kind.OUTPUT),
    ),
    (
        upload_intake.receive_sample,
        Right.WRITE,
        lambda w, u: upload_intake.receive_sample(w.project, u, "chat"),
    ),
    (
        upload_intake.check_again,
        Right.WRITE,
        lambda w, u: upload_intake.check_again(fresh(w.upload), u),
    ),
    (
        upload_intake.remove,
        Right.WRITE,
        lambda w, u: upload_intake.remove(fresh(w.unused_upload), u),
    ),
    (
        start_import.list_candidates,
        Right.WRITE,
        lambda w, u: list_candidates(w, u, w.key),
    ),
    (
        start_import.request_imports,
        Right.WRITE,
        lambda w, u: start_import.request_imports(w.project, u, w.key, [str(uuid.uuid4())]),
    ),
    (
        start_import.retry_import,
        Right.WRITE,
        lambda w, u: start_import.retry_import(fresh(w.failed_import), u),
    ),
    (
        start_import.dismiss,
        Right.WRITE,
        lambda w, u: start_import.dismiss(fresh(w.failed_import), u),
    ),
    (
        controls.request_cancel,
        Right.STOP,
        lambda w, u: controls.request_cancel(fresh(w.batch), u),
    ),
    (
        controls.request_cancels,
        Right.STOP,
        lambda w, u: len(controls.request_cancels([fresh(w.batch), fresh(w.stopped)], u)),
    ),
    (controls.request_pause, Right.WRITE, lambda w, u: controls.request_pause(fresh(w.batch), u)),
    (controls.resume, Right.WRITE, lambda w, u: controls.resume(fresh(w.paused), u)),
    (controls.try_again, Right.WRITE, lambda w, u: controls.try_again(fresh(w.stopped), u)),
    (
        retry_in_place.count_retryable,
        Right.WRITE,
        lambda w, u: retry_in_place.count_retryable(w.over, u),
    ),
    (
        retry_in_place.request_retry_in_place,
        Right.WRITE,
        lambda w, u: retry_in_place.request_retry_in_place(fresh(w.over), u),
    ),
    (place_order.place_order, Right.WRITE, lambda w, u: order(w, u, w.key)),
    (
        script_order.place_script_order,
        Right.WRITE,
        lambda w, u: script_order.place_script_order(
            u, ScriptOrder(w.upload, "/v1/chat/completions", "24h")
        ),
    ),
    (
        direct_requests.open_request,
        Right.WRITE,
        lambda w, u: direct_requests.open_request(u, w.project, DIRECT_CALL),
    ),
    (
        direct_requests.find_response,
        Right.SEE,
        lambda w, u: direct_requests.find_response(u, w.project, "resp_1"),
    ),
    (readiness.check_readiness, Right.WRITE, check_readiness),
    (
        model_table.save,
        Right.ADMINISTER,
        lambda w, u: model_table.save(OfferedModel(connection=w.project.connection, model="a"), u),
    ),
    (model_table.remove, Right.ADMINISTER, lambda w, u: model_table.remove(fresh(w.model), u)),
    (
        model_table.load_doubleword_models,
        Right.ADMINISTER,
        lambda w, u: model_table.load_doubleword_models(doubleword(), u),
    ),
    (
        model_table.import_csv,
        Right.ADMINISTER,
        lambda w, u: model_table.import_csv(w.project.connection, u, "model\nacme/new\n"),
    ),
    (
        model_table.fill,
        Right.ADMINISTER,
        lambda w, u: model_table.fill(w.project.connection, u, [ModelCard("acme/new")]),
    ),
    (
        price_lists.apply,
        Right.ADMINISTER,
        apply_prices,
    ),
    (outbox.unsent, Right.ADMINISTER, lambda w, u: outbox.unsent(u)),
    (outbox.count_unsent, Right.ADMINISTER, lambda w, u: outbox.count_unsent(u)),
    (outbox.read, Right.ADMINISTER, lambda w, u: outbox.read(u, w.email.pk)),
    (outbox.try_again, Right.ADMINISTER, lambda w, u: outbox.try_again(u) or None),
    (outbox.send_test, Right.ADMINISTER, send_test),
    (
        connections.add,
        Right.ADMINISTER,
        lambda w, u: connections.add(Connection(name=str(uuid.uuid4()), base_url="https://x"), u),
    ),
    (
        connections.change,
        Right.ADMINISTER,
        lambda w, u: connections.change(w.project.connection, u, name=str(uuid.uuid4())),
    ),
    (
        connections.set_platform_key,
        Right.ADMINISTER,
        lambda w, u: connections.set_platform_key(fresh(w.project.connection), u, "sk-platform"),
    ),
    (
        connections.archive,
        Right.ADMINISTER,
        lambda w, u: connections.archive(fresh(w.project.connection), u, timezone.now()),
    ),
    (
        connections.remove,
        Right.ADMINISTER,
        lambda w, u: connections.remove(fresh(w.unused_connection), u),
    ),
    (
        portal_roles.set_portal_role,
        Right.ADMINISTER,
        lambda w, u: portal_roles.set_portal_role(fresh(w.author), u, PortalRole.AUDITOR),
    ),
    (
        join_project.join_as_owner,
        Right.ADMINISTER,
        lambda w, u: join_project.join_as_owner(w.project, u),
    ),
    (system_status.read_status, Right.ADMINISTER, lambda w, u: system_status.read_status(u)),
    (price_table.add, Right.ADMINISTER, lambda w, u: price_table.add(new_price(w), u)),
    (
        price_table.correct,
        Right.ADMINISTER,
        lambda w, u: price_table.correct(fresh(w.price), u, FIVE),
    ),
    (price_table.end, Right.ADMINISTER, lambda w, u: price_table.end(fresh(w.price), u)),
    (
        price_table.withdraw,
        Right.ADMINISTER,
        lambda w, u: price_table.withdraw(fresh(w.announced), u),
    ),
    (
        price_table.load_doubleword_list,
        Right.ADMINISTER,
        lambda w, u: price_table.load_doubleword_list(as_sandbox(w.project.connection), u),
    ),
    (
        deactivate.deactivate,
        Right.ADMINISTER,
        lambda w, u: deactivate.deactivate(w.people["outsider"], u),
    ),
    (
        deactivate.activate,
        Right.ADMINISTER,
        lambda w, u: deactivate.activate(w.people["deactivated"], u),
    ),
    (
        second_factors.remove_second_factors,
        Right.ADMINISTER,
        lambda w, u: second_factors.remove_second_factors(w.locked_out, u),
    ),
    (
        deactivate.consequences_of,
        Right.ADMINISTER,
        lambda w, u: deactivate.consequences_of(w.people["outsider"], u),
    ),
    (
        controls.cancel_batches_paid_by,
        Right.ADMINISTER,
        lambda w, u: sum(controls.cancel_batches_paid_by(w.own_key_batch.key.user, u)),
    ),
    (
        invitations.invite_to_project,
        Right.IN_PERSON,
        lambda w, u: invitations.invite_to_project(
            w.project, u, role=VIEWER, email="new@example.com", days=7
        ),
    ),
    (
        invitations.invite_to_portal,
        Right.ADMINISTER,
        lambda w, u: invitations.invite_to_portal(u, email="new@example.com", days=7),
    ),
    (
        invitations.renew_link,
        Right.IN_PERSON,
        lambda w, u: invitations.renew_link(fresh(w.invitation), u),
    ),
    (
        invitations.renew_link,
        Right.ADMINISTER,
        lambda w, u: invitations.renew_link(fresh(w.portal_invitation), u),
    ),
    (
        invitations.mark_mailed,
        Right.IN_PERSON,
        lambda w, u: invitations.mark_mailed(fresh(w.invitation), u),
    ),
    (invitations.revoke, Right.IN_PERSON, lambda w, u: invitations.revoke(fresh(w.invitation), u)),
    (
        invitations.revoke,
        Right.ADMINISTER,
        lambda w, u: invitations.revoke(fresh(w.portal_invitation), u),
    ),
    (invitations.list_open, Right.IN_PERSON, lambda w, u: invitations.list_open(w.project, u)),
    (invitations.list_open, Right.ADMINISTER, lambda _, u: invitations.list_open(None, u)),
    (members.set_role, Right.IN_PERSON, lambda w, u: members.set_role(w.membership, u, VIEWER)),
    (
        members.remove_member,
        Right.IN_PERSON,
        lambda w, u: members.remove_member(fresh(w.membership), u),
    ),
    (members.leave, "own keys", lambda w, u: members.leave(w.archived, u)),
    (
        members.transfer,
        Right.IN_PERSON,
        lambda w, u: members.transfer(fresh(w.membership), u, VIEWER),
    ),
    (
        projects.create_project,
        Right.CREATE,
        lambda w, u: projects.create_project(new_project(w), u),
    ),
    (
        projects.change_look,
        Right.MANAGE,
        lambda w, u: projects.change_look(w.project, u, name="New name", colour=3),
    ),
    (projects.archive, Right.IN_PERSON, lambda w, u: projects.archive(w.project, u)),
    (projects.restore, Right.IN_PERSON, lambda w, u: projects.restore(w.archived, u)),
    (
        project_deletion.delete_project,
        Right.IN_PERSON,
        lambda w, u: project_deletion.delete_project(w.archived, u),
    ),
    (
        provider_keys.store,
        Right.IN_PERSON,
        lambda w, u: provider_keys.store(w.project.connection, u, "sk-new", owner=w.project),
    ),
    (
        portal_keys.create,
        "own keys",
        lambda w, u: portal_keys.create(w.project, u, READ_KEY),
    ),
    (
        portal_keys.create_service_key,
        Right.IN_PERSON,
        lambda w, u: portal_keys.create_service_key(w.project, u, READ_KEY),
    ),
    (
        portal_keys.rotate,
        Right.IN_PERSON,
        lambda w, u: portal_keys.rotate(
            w.service_key, u, hours=24, current=w.service_key.secrets.get().pk
        ),
    ),
    (
        portal_keys.revoke,
        Right.IN_PERSON,
        lambda w, u: portal_keys.revoke([w.portal_key], u) == 1,
    ),
    (
        endpoints.create,
        Right.IN_PERSON,
        lambda w, u: endpoints.create(w.project, u, WEBHOOK),
    ),
    (
        endpoints.change,
        Right.IN_PERSON,
        lambda w, u: endpoints.change(fresh(w.endpoint), u, WEBHOOK),
    ),
    (
        endpoints.rotate_secret,
        Right.IN_PERSON,
        lambda w, u: endpoints.rotate_secret(
            fresh(w.endpoint), u, hours=1, current=endpoints.state_of_secret(fresh(w.endpoint))
        ),
    ),
    (
        endpoints.disable,
        Right.IN_PERSON,
        lambda w, u: endpoints.disable(fresh(w.endpoint), u),
    ),
    (
        endpoints.enable,
        Right.IN_PERSON,
        lambda w, u: endpoints.enable(fresh(w.disabled_endpoint), u),
    ),
    (
        endpoints.delete,
        Right.IN_PERSON,
        lambda w, u: endpoints.delete(fresh(w.endpoint), u),
    ),
    (
        messages.send_test,
        Right.IN_PERSON,
        lambda w, u: messages.send_test(fresh(w.endpoint), u, "{}"),
    ),
    (
        messages.replay,
        Right.IN_PERSON,
        lambda w, u: messages.replay(fresh(w.message), u),
    ),
    (
        messages.replay_failed,
        Right.IN_PERSON,
        lambda w, u: messages.replay_failed(fresh(w.endpoint), u),
    ),
    (
        provider_keys.draft,
        Right.IN_PERSON,
        lambda w, u: provider_keys.draft(w.project.connection, u, "sk-new", owner=w.project),
    ),
    (
        provider_keys.insert,
        Right.IN_PERSON,
        lambda w, u: provider_keys.insert(w.new_key(), u),
    ),
    (
        provider_keys.draft_replacement,
        Right.IN_PERSON,
        lambda w, u: provider_keys.draft_replacement(fresh(w.key), u, "sk-new"),
    ),
    (
        provider_keys.store_replacement,
        Right.IN_PERSON,
        lambda w, u: provider_keys.store_replacement(fresh(w.key), u),
    ),
    (
        provider_keys.replace,
        Right.IN_PERSON,
        lambda w, u: provider_keys.replace(fresh(w.key), u, "sk-new"),
    ),
    (
        provider_keys.remove,
        Right.IN_PERSON,
        lambda w, u: provider_keys.remove(fresh(w.unused_key), u),
    ),
    (provider_keys.test_key, Right.IN_PERSON, lambda w, u: try_key(w, u, fresh(w.key))),
    (
        provider_keys.set_webhook_secret,
        Right.IN_PERSON,
        lambda w, u: provider_keys.set_webhook_secret(fresh(w.key), u, "whsec_new"),
    ),
    (
        estimate_accuracy.comparable_model_costs,
        "report",
        lambda w, u: estimate_accuracy.comparable_model_costs(u, timezone.now() - DAY).count(),
    ),
    (
        browse.download,
        Right.SEE,
        lambda w, u: text_of(browse.download(w.over, u, ResultChunk.Kind.OUTPUT)),
    ),
    (
        browse.download_unmatched,
        Right.SEE,
        lambda w, u: text_of(browse.download_unmatched(w.over, u)),
    ),
    (
        freshness.request_columns,
        Right.SEE,
        lambda w, u: freshness.request_columns(w.over, u),
    ),
    (
        export_files.request_export,
        Right.SEE,
        lambda w, u: export_files.request_export(
            w.over, u, "csv", ExportSettings(), submission=uuid.uuid4()
        ),
    ),
    (
        export_files.export_again,
        Right.SEE,
        lambda w, u: export_files.export_again(fresh(w.expired), u),
    ),
    (
        export_files.delete_export,
        Right.WRITE,
        lambda w, u: export_files.delete_export(fresh(w.export), u),
    ),
    (
        export_files.download,
        Right.SEE,
        lambda w, u: export_files.download(w.export, u),
    ),
    (content.open_content, Right.SEE, lambda w, u: open_no_content(w.over, u)),
    (
        write_export.write_export,
        Right.SEE,
        lambda w, u: write_export.write_export(
            ResultColumns(batch=w.over), u, "csv", ExportSettings(), BytesIO()
        ),
    ),
    (open_columns.open_columns, Right.SEE, lambda w, u: open_no_columns(w.over, u)),
    (
        comparable_batches.list_answered,
        Right.SEE,
        lambda w, u: list(comparable_batches.list_answered(w.over, u)),
    ),
    (
        comparable_batches.suggest_batches,
        Right.SEE,
        lambda w, u: comparable_batches.suggest_batches(w.over, u),
    ),
    (compare_columns.open_comparison, Right.SEE, lambda w, u: compare_nothing(w.over, u)),
    (browse.most_common_error, Right.SEE, lambda w, u: browse.most_common_error(w.over, u)),
    (browse.read_answers, Right.SEE, lambda w, u: browse.read_answers(w.over, u, 3)),
    (
        browse.read_questions,
        Right.SEE,
        lambda w, u: browse.read_questions(w.over, u, w.over.results.all()),
    ),
    (problems.list_problems, Right.SEE, lambda w, u: problems.list_problems(w.over, u)),
    (
        problems.list_few_problems,
        Right.SEE,
        lambda w, u: problems.list_few_problems(w.over, u, most=1),
    ),
    (browse.read_texts, Right.SEE, lambda w, u: browse.read_texts(w.over.results.all()[0], u)),
    (browse.read_request, Right.SEE, lambda w, u: browse.read_request(w.over.results.all()[0], u)),
    (
        browse.read_unmatched_excerpts,
        Right.SEE,
        lambda w, u: browse.read_unmatched_excerpts(w.over, u, limit=1),
    ),
    (
        request_lines.read_request_lines,
        Right.SEE,
        lambda w, u: request_lines.read_request_lines(fresh(w.over), u).end,
    ),
    (merge.download, Right.SEE, lambda w, u: text_of(merge.download(w.over, u))),
    (merge.list_attempts, Right.SEE, lambda w, u: merge.list_attempts(w.over, u, "row-1", [])),
    (
        reused_answers.reused_result,
        Right.SEE,
        lambda w, u: reused_answers.reused_result(w.over.results.first(), u),
    ),
    (
        reduced_file.request_reduced_file,
        Right.WRITE,
        lambda w, u: reduced_file.request_reduced_file(
            w.over.upload, u, ReuseChoice(once=True), submission=uuid.uuid4()
        ),
    ),
    (
        retry_file.request_retry_file,
        Right.WRITE,
        lambda w, u: retry_file.request_retry_file(
            w.over, u, Selection(frozenset({Outcome.EXPIRED})), submission=uuid.uuid4()
        ),
    ),
    (
        answer_tables.request_table,
        Right.WRITE,
        lambda w, u: answer_tables.request_table(
            w.over, u, ResultFilter(), submission=uuid.uuid4()
        ),
    ),
    (newest_answers.count_newer, Right.SEE, lambda w, u: newest_answers.count_newer(w.over, u, 0)),
    (
        table_import.receive_table,
        Right.WRITE,
        lambda w, u: table_import.receive_table(
            w.project, u, ContentFile(b"a,b\n1,2\n"), name="t.csv"
        ),
    ),
    (
        table_import.read_again,
        Right.WRITE,
        lambda w, u: table_import.read_again(fresh(w.table), u, ReadOptions()),
    ),
    (
        table_import.delete_table,
        Right.WRITE,
        lambda w, u: table_import.delete_table(fresh(w.table), u),
    ),
    (
        requests_from_table.save_settings,
        Right.WRITE,
        lambda w, u: requests_from_table.save_settings(fresh(w.table), u, PROMPT, None),
    ),
    (
        requests_from_table.request_file,
        Right.WRITE,
        lambda w, u: requests_from_table.request_file(fresh(w.table), u),
    ),
    (
        requests_from_table.save_template,
        Right.WRITE,
        lambda w, u: requests_from_table.save_template(w.project, u, "Another", PROMPT),
    ),
    (
        requests_from_table.delete_template,
        Right.WRITE,
        lambda w, u: requests_from_table.delete_template(fresh(w.template), u),
    ),
    (Scope, "report", spent),
    (audit_log.read_event, "audit", read_audit_event),
    (inbox.items_of, "own inbox", lambda _, u: inbox.items_of(u)),
    (inbox.mark, "own inbox", lambda _, u: inbox.mark(u, 1, is_read=True)),
    (inbox.mark_all_read, "own inbox", lambda _, u: inbox.mark_all_read(u)),
    (inbox.undo, "own inbox", lambda _, u: [inbox.undo(u, timezone.now())]),
    (
        notice_preferences.save_channels,
        "own keys",
        lambda w, u: notice_preferences.save_channels(u, w.project, DEFAULT_CHANNELS),
    ),
    (
        notice_preferences.forget_project,
        "own keys",
        lambda w, u: notice_preferences.forget_project(u, w.project),
    ),
    (
        notice_preferences.save_settings,
        "own inbox",
        lambda _, u: notice_preferences.save_settings(u, digest="daily", quiet_below=5),
    ),
]

# Services that take a person and ask nothing, each with the reason.
WITHOUT_A_RIGHT = {
    upload_intake.store: "receive_file and receive_checked_file ask for the right to write",
    inbox.unread_of: "it counts what the person alone was told, and may still see",
    inbox.news_of: "it reads what the person alone was told, and may still see",
    inbox.mark_batch_read: "it is about what the person alone was told",
    notice_preferences.channels_of: "it reads what the person chose",
    notice_preferences.has_own: "it reads what the person chose",
    notice_preferences.projects_with_own: "it reads what the person chose",
    notice_preferences.settings_of: "it reads what the person chose",
    notice_preferences.switch_off_emails: "the signed link of an e-mail is the right",
    email_links.make_token: "a worker writes it into an e-mail to the person",
    approval_inbox.asked_by: "it lists what the person may see alone",
    approval_inbox.decided: "it lists what the person may see alone",
    approval_inbox.visible_to: "it lists what the person may see alone",
    approval_inbox.waiting_for: "it lists what the person may decide alone",
    order_approval.ask_approval: "place_order asks for the right to order",
    policy.approvers_of: "it names the owners of a project that the person may order in",
    portal_roles.portal_role_of: "it names the role that was read with the person",
    accounts.forget_waiting_addresses: "it is asked after a person proved who it is",
    accounts.hand_over: "whoever proved to own the address of the person asks it",
    accounts.verify_address: "it is asked where a person is created or changed, which is a right",
    profile.change_profile: "it is about the person alone",
    sessions.note_activity: "it is about the browser of the person",
    sessions.note_presence: "it is about the person who opens a page",
    sessions.list_sessions: "it lists the browsers of the person alone",
    sessions.end_session: "it ends a session of the person alone",
    sessions.end_other_sessions: "it ends sessions of the person alone",
    downloads.record_download: "whatever sends the data asks for the right",
    downloads.record_report: "whatever sends the data asks for the right",
    downloads.record_part: "whatever sends the data asks for the right",
    price_facts.record_price: "services that ask for a right ask it",
    deactivate.batches_paid_by: "services that ask for a right ask it",
    other_models.other_models: "it learns from the batches that the person may see alone",
    window_times.window_times: "it learns from the batches that the person may see alone",
    price_quotes.histories_for: "workers, too, estimate with the lengths of earlier answers",
    retry_file.retry_file_id: "it computes an id and reads nothing",
    part.readable_projects: "it is the right to read statements, for all projects at once",
    purge.start_purge: "the rule of a project deletes without a person; purge_now asks for one",
    invitations.accept: "the invitation is the right",
    invitations.decline: "the invitation names the person",
    invitations.invitations_of: "it lists what names the person alone",
    requests_from_table.return_without_right: "a worker says that the person lost the right",
}


def fresh(row: Any) -> Any:
    """Return the row as it is stored: an allowed call of another person changed the object."""
    return type(row).objects.get(pk=row.pk)


def outcome_of(world: World, call: Callable[[], object]) -> str:
    """Make the call and undo it; a refused call must leave nothing written and nobody asked.

    A count of 0 is a refusal as well.
    """
    calls = len(world.provider.calls)
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        try:
            result = call()
            is_refused = type(result) is int and result == 0
            assert result is not False, "the call was allowed, and had nothing to do"
        except NotAllowed:
            is_refused = True
        transaction.set_rollback(True)
    if is_refused:
        assert [sql for sql in map(written, queries) if sql] == []
        assert len(world.provider.calls) == calls
    return REFUSED if is_refused else ALLOWED


def written(query: dict[str, str]) -> str:
    """Return the SQL of a query that writes rows, else ""."""
    sql = query["sql"]
    return sql if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")) else ""


def row(cells: str, names: Iterable[str]) -> dict[str, str]:
    meaning = {"+": ALLOWED, "-": REFUSED}
    return {name: meaning[cell] for name, cell in zip(names, cells.split(), strict=True)}


def name_of(value: object) -> str:
    """Return module and name of a service, for the ids of tests."""
    module = getattr(value, "__module__", "").rpartition(".")[2]
    return f"{module}.{value.__name__}" if inspect.isroutine(value) else ""


@pytest.mark.parametrize(
    ("right", "call"), [entry[1:] for entry in SERVICES], ids=[name_of(e[0]) for e in SERVICES]
)
def test_a_right_is_allowed_or_refused_as_the_table_says(
    world: World, right: str, call: Call
) -> None:
    outcomes = {
        name: outcome_of(world, lambda user=user: call(world, user))
        for name, user in world.people.items()
    }

    assert outcomes == row(CELLS[right], PEOPLE)


def test_in_an_archived_project_nothing_starts_and_the_rest_stays_allowed(world: World) -> None:
    owner = world.people["owner"]
    project = Project.objects.filter(pk=world.project.pk)
    in_project = [entry for entry in SERVICES if entry[1] in {Right.SEE, Right.WRITE, Right.STOP}]
    project.update(archived_at=timezone.now())

    outcomes = {
        name_of(service): outcome_of(world, lambda call=call: call(world, owner))
        for service, _, call in in_project
    }

    assert outcomes == {
        name_of(service): REFUSED if right == Right.WRITE else ALLOWED
        for service, right, _ in in_project
    }


def test_where_administrators_found_projects_nobody_else_does(world: World, settings: Any) -> None:
    settings.PROJECT_FOUNDERS = "administrators"

    outcomes = {
        name: outcome_of(
            world, lambda user=user: projects.create_project(new_project(world), user)
        )
        for name, user in world.people.items()
    }

    assert outcomes == row("- - - - - - + - - - - - - -", PEOPLE)


KEY_PEOPLE = [
    *("key owner", "colleague", "project owner", "viewer", "outsider"),
    *("key owner who left", "deactivated key owner"),
]
KEY_CELLS = {
    "start": "+      -            -        -         -           -                 -      ",
    "go on": "+      +            +        -         -           -                 -      ",
    "change": "+     -            -        -         -           +                 -      ",
}
ON_PERSONAL_KEYS: list[tuple[str, str, Callable[[World, User, ProviderKey], object]]] = [
    ("place an order", "start", order),
    ("list batches to import", "start", list_candidates),
    (
        "import a batch",
        "start",
        lambda w, u, key: start_import.request_imports(w.project, u, key, [str(uuid.uuid4())]),
    ),
    (
        "try again on this key",
        "start",
        lambda w, u, key: controls.try_again(fresh(w.stopped), u, key),
    ),
    ("resume", "go on", lambda w, u, key: controls.resume(on(key, w.paused), u)),
    ("try again", "go on", lambda w, u, key: controls.try_again(on(key, w.stopped), u)),
    (
        "retry in place",
        "go on",
        lambda w, u, key: retry_in_place.request_retry_in_place(on(key, w.over), u),
    ),
    ("replace", "change", lambda w, u, key: provider_keys.replace(key, u, "sk-new")),
    ("remove", "change", lambda w, u, key: provider_keys.remove(key, u)),
    ("test", "change", try_key),
    (
        "set the webhook secret",
        "change",
        lambda w, u, key: provider_keys.set_webhook_secret(key, u, "whsec_new"),
    ),
]


def on(key: ProviderKey, batch: Batch) -> Batch:
    """Return the stored batch as if it had been ordered on ``key``."""
    batch = fresh(batch)
    batch.key = key
    return batch


@pytest.mark.parametrize(
    ("cells", "call"),
    [entry[1:] for entry in ON_PERSONAL_KEYS],
    ids=[e[0] for e in ON_PERSONAL_KEYS],
)
def test_a_personal_key_is_its_owners_to_start_with_and_the_projects_to_go_on_with(
    world: World, cells: str, call: Callable[[World, User, ProviderKey], object]
) -> None:
    connection, people = world.project.connection, world.people
    owner = join(make_user(), world.project)
    own_key = make_key(owner, connection)
    actors = [
        (owner, own_key),
        (people["editor"], own_key),
        (people["owner"], own_key),
        (people["viewer"], own_key),
        (people["outsider"], own_key),
        (people["former member"], make_key(people["former member"], connection)),
        (people["deactivated"], make_key(people["deactivated"], connection)),
    ]

    outcomes = {
        name: outcome_of(world, lambda user=user, key=key: call(world, user, fresh(key)))
        for name, (user, key) in zip(KEY_PEOPLE, actors, strict=True)
    }

    assert outcomes == row(KEY_CELLS[cells], KEY_PEOPLE)


@pytest.mark.parametrize("gone", ["key owner who left", "deactivated"])
@pytest.mark.parametrize("verb", ["resume", "try again", "retry in place"])
def test_a_colleague_does_not_go_on_with_the_key_of_a_person_who_is_gone(
    world: World, gone: str, verb: str
) -> None:
    name = {"key owner who left": "former member"}.get(gone, gone)
    key = make_key(world.people[name], world.project.connection)
    call = next(call for title, _, call in ON_PERSONAL_KEYS if title == verb)

    assert outcome_of(world, lambda: call(world, world.people["owner"], key)) == REFUSED


def test_a_person_may_add_only_an_own_key_or_one_of_a_managed_project(world: World) -> None:
    connection, people = world.project.connection, world.people

    def store(actor: User, owner: User | Project) -> str:
        return outcome_of(
            world, lambda: provider_keys.store(connection, actor, "sk-new", owner=owner)
        )

    assert store(people["outsider"], people["outsider"]) == ALLOWED
    assert store(people["owner"], people["editor"]) == REFUSED
    assert store(people["deactivated"], people["deactivated"]) == REFUSED
    assert store(people["editor"], world.project) == REFUSED


def test_a_call_that_writes_before_it_is_refused_is_noticed(world: World) -> None:

    def write() -> None:
        Project.objects.update(name="Taken over")
        raise NotAllowed(Right.SEE)

    with pytest.raises(AssertionError, match="UPDATE"):
        outcome_of(world, write)


def test_a_role_that_was_lost_counts_at_once_outside_of_a_request(world: World) -> None:
    owner = world.people["owner"]
    assert outcome_of(world, lambda: order(world, owner, world.key)) == ALLOWED

    owner.memberships.all().delete()

    assert outcome_of(world, lambda: order(world, owner, world.key)) == REFUSED


def test_a_form_that_comes_again_from_an_outsider_shows_no_batch(world: World) -> None:

    with pytest.raises(NotAllowed):
        place_order.place_order(
            world.project,
            world.people["outsider"],
            world.upload,
            world.key,
            window="24h",
            submission=world.batch.submission,
        )


def services_with_a_person() -> set[Callable[..., Any]]:
    """Return the public functions of the services that take a person."""
    modules = pkgutil.walk_packages(services.__path__, f"{services.__name__}.")
    return {
        function
        for module in (import_module(info.name) for info in modules)
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__
        if not name.startswith("_") and takes_a_person(function)
    }


def takes_a_person(function: Callable[..., Any]) -> bool:
    annotations = [
        str(each.annotation) for each in inspect.signature(function).parameters.values()
    ]
    return any("people.user.User" in annotation for annotation in annotations)


def test_every_service_that_takes_a_person_is_in_the_table() -> None:
    in_table = {function for function, *_ in SERVICES if inspect.isfunction(function)}

    assert len(services_with_a_person()) > 40
    assert services_with_a_person() == in_table | WITHOUT_A_RIGHT.keys()


def test_a_service_that_is_left_out_of_the_table_is_noticed() -> None:
    assert takes_a_person(place_order.place_order)
    assert takes_a_person(provider_keys.remove)
    assert takes_a_person(price_quotes.histories_for)
    assert not takes_a_person(price_quotes.quote)
