"""What each service lets each person do; a service that takes a person and is not here fails."""

import inspect
import pkgutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from batchapp import services
from batchapp.access import OPERATOR, NotAllowed, Right
from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.model_cards import ModelCard
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Ending, Selection
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.table_reader import ReadOptions
from batchapp.models import (
    REALTIME,
    Batch,
    BatchImport,
    Connection,
    OfferedModel,
    Price,
    Project,
    ProviderBatch,
    ProviderKey,
    ResultChunk,
    User,
)
from batchapp.services.files import correct_file, upload_intake
from batchapp.services.imports import start_import
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.offered_models import model_table
from batchapp.services.orders import place_order, price_quotes, readiness
from batchapp.services.prices import price_lists, price_table
from batchapp.services.projects import members, projects
from batchapp.services.providers import provider_keys
from batchapp.services.reports import cost_report, estimate_accuracy
from batchapp.services.results import browse, causes, merge, retry_file
from batchapp.services.tables import requests_from_table, table_import
from tests.make import (
    ADMIN,
    MEMBER,
    MODEL,
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_import,
    make_key,
    make_project,
    make_table,
    make_upload,
    make_user,
    set_state,
)
from tests.provider import Provider

pytestmark = pytest.mark.django_db

ALLOWED, REFUSED = "allowed", "refused"
PROMPT = PromptSettings(model=MODEL, prompt="{text}")
FIVE = UnitPrice(input=Decimal(5), output=Decimal(5))
PRICES = f"model,window,input_usd,output_usd,source\n{MODEL},24h,5,6,a letter\n"
DAY = timedelta(days=1)


class World:
    """A project with a row of each kind, and people of every kind."""

    def __init__(self) -> None:
        self.provider = Provider()
        models = httpx.Response(200, json={"data": [{"id": MODEL}]})
        self.provider.before = lambda call, _: models if call == "GET /v1/models" else None
        self.author = make_user()
        project = self.project = make_project(self.author)
        self.people = people_around(project)
        self.key, self.unused_key = make_key(project), make_key(project)
        self.upload, self.unused_upload = (make_upload(project, self.author) for _ in range(2))
        self.batch = make_batch(project, self.author, upload=self.upload, key=self.key)
        attention = ProviderBatch.Parked.NEEDS_ATTENTION
        self.paused = self.parked(ProviderBatch.Parked.PAUSED, pause_requested_at=timezone.now())
        self.stopped = self.parked(attention)
        ended = make_batch(project, self.author, upload=self.upload, key=self.key)
        self.over = finish(ended, [answer_line(1)], [error_line(2), error_line(3)])
        self.table = make_table(project, self.author, prompt_settings=PROMPT)
        failed = BatchImport.Status.FAILED
        self.failed_import = make_import(project, self.author, status=failed, next_check_at=None)
        self.price = project.connection.prices.get(window="24h")
        other = project.connection.prices.get(window="1h")
        self.announced = price_table.correct(other, OPERATOR, FIVE, since=timezone.now() + DAY)
        self.model = OfferedModel.objects.create(connection=project.connection, model=MODEL)
        self.membership = join(make_user(), project).memberships.get()
        version = requests_from_table.save_template(project, self.author, "Triage", PROMPT)
        self.template = version.template

    def parked(self, reason: str, **fields: Any) -> Batch:
        """A batch that waits for a person before it is sent."""
        batch = make_batch(self.project, self.author, upload=self.upload, key=self.key, **fields)
        waiting = ProviderBatch.Status.WAITING
        set_state(batch, status=waiting, parked_reason=reason, next_check_at=None)
        return batch


def people_around(project: Project) -> dict[str, User]:
    """Return people of every kind; those who have nothing to say here are admins elsewhere."""
    former = join(make_user(), project, ADMIN)
    former.memberships.all().delete()
    people = {
        "outsider": make_user(),
        "former member": former,
        "viewer": join(make_user(), project, VIEWER),
        "member": join(make_user(), project, MEMBER),
        "admin": join(make_user(), project, ADMIN),
        "deactivated": join(make_user(is_active=False, is_staff=True), project, ADMIN),
        "operator": make_user(is_staff=True, is_superuser=True),
    }
    make_project(people["outsider"], former, role=ADMIN)
    return people


def doubleword() -> Connection:
    return Connection.objects.get(name="Doubleword")


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


def text_of(pieces: Iterable[bytes]) -> bytes:
    return b"".join(pieces)


def spent(world: World, user: User) -> int:
    today = timezone.localdate()
    scope = cost_report.Scope(today - DAY, today + DAY, user, with_sandbox=True)
    return scope.model_costs().filter(batch=world.over).count()


# The right that a service asks for -> what comes of it for each person.
PEOPLE = ["outsider", "former member", "viewer", "member", "admin", "deactivated", "operator"]
CELLS: dict[str, str] = {
    Right.SEE: "     -           -            +         +        +         -             -     ",
    Right.WRITE: "   -           -            -         +        +         -             -     ",
    Right.MANAGE: "  -           -            -         -        +         -             -     ",
    Right.OPERATE: " -           -            -         -        -         -             +     ",
    Right.CREATE: "  +           +            +         +        +         -             +     ",
    "report": "      -           -            +         +        +         -             +     ",
}

Call = Callable[[World, User], object]
SERVICES: list[tuple[Callable[..., Any], str, Call]] = [
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
        Right.WRITE,
        lambda w, u: controls.request_cancel(fresh(w.batch), u),
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
    (readiness.check_readiness, Right.WRITE, check_readiness),
    (
        model_table.save,
        Right.OPERATE,
        lambda w, u: model_table.save(OfferedModel(connection=w.project.connection, model="a"), u),
    ),
    (model_table.remove, Right.OPERATE, lambda w, u: model_table.remove(fresh(w.model), u)),
    (
        model_table.load_doubleword_models,
        Right.OPERATE,
        lambda w, u: model_table.load_doubleword_models(doubleword(), u),
    ),
    (
        model_table.import_csv,
        Right.OPERATE,
        lambda w, u: model_table.import_csv(w.project.connection, u, "model\nacme/new\n"),
    ),
    (
        model_table.fill,
        Right.OPERATE,
        lambda w, u: model_table.fill(w.project.connection, u, [ModelCard("acme/new")]),
    ),
    (
        price_lists.apply,
        Right.OPERATE,
        apply_prices,
    ),
    (price_table.add, Right.OPERATE, lambda w, u: price_table.add(new_price(w), u)),
    (
        price_table.correct,
        Right.OPERATE,
        lambda w, u: price_table.correct(fresh(w.price), u, FIVE),
    ),
    (price_table.end, Right.OPERATE, lambda w, u: price_table.end(fresh(w.price), u)),
    (
        price_table.withdraw,
        Right.OPERATE,
        lambda w, u: price_table.withdraw(fresh(w.announced), u),
    ),
    (
        price_table.load_doubleword_list,
        Right.OPERATE,
        lambda w, u: price_table.load_doubleword_list(w.project.connection, u),
    ),
    (
        members.add_member,
        Right.MANAGE,
        lambda w, u: members.add_member(w.project, u, w.people["outsider"], VIEWER),
    ),
    (members.set_role, Right.MANAGE, lambda w, u: members.set_role(w.membership, u, VIEWER)),
    (
        members.remove_member,
        Right.MANAGE,
        lambda w, u: members.remove_member(fresh(w.membership), u),
    ),
    (
        projects.create_project,
        Right.CREATE,
        lambda w, u: projects.create_project(new_project(w), u),
    ),
    (
        projects.rename_project,
        Right.MANAGE,
        lambda w, u: projects.rename_project(w.project, u, "New name"),
    ),
    (
        provider_keys.store,
        Right.MANAGE,
        lambda w, u: provider_keys.store(w.project.connection, u, "sk-new", owner=w.project),
    ),
    (
        provider_keys.replace,
        Right.MANAGE,
        lambda w, u: provider_keys.replace(fresh(w.key), u, "sk-new"),
    ),
    (
        provider_keys.remove,
        Right.MANAGE,
        lambda w, u: provider_keys.remove(fresh(w.unused_key), u),
    ),
    (provider_keys.test_key, Right.MANAGE, lambda w, u: try_key(w, u, fresh(w.key))),
    (
        provider_keys.set_webhook_secret,
        Right.MANAGE,
        lambda w, u: provider_keys.set_webhook_secret(fresh(w.key), u, "whsec_new"),
    ),
    (
        estimate_accuracy.comparable_model_costs,
        Right.OPERATE,
        lambda w, u: estimate_accuracy.comparable_model_costs(u, timezone.now() - DAY),
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
    (browse.most_common_error, Right.SEE, lambda w, u: browse.most_common_error(w.over, u)),
    (browse.read_answers, Right.SEE, lambda w, u: browse.read_answers(w.over, u, 3)),
    (
        browse.read_questions,
        Right.SEE,
        lambda w, u: browse.read_questions(w.over, u, w.over.results.all()),
    ),
    (
        causes.list_causes,
        Right.SEE,
        lambda w, u: causes.list_causes(w.over, u, Counter({Outcome.PROVIDER_ERROR: 1})),
    ),
    (browse.read_texts, Right.SEE, lambda w, u: browse.read_texts(w.over.results.all()[0], u)),
    (
        browse.read_unmatched_excerpts,
        Right.SEE,
        lambda w, u: browse.read_unmatched_excerpts(w.over, u, limit=1),
    ),
    (merge.download, Right.SEE, lambda w, u: text_of(merge.download(w.over, u))),
    (merge.list_attempts, Right.SEE, lambda w, u: merge.list_attempts(w.over, u, "row-1", [])),
    (
        retry_file.request_retry_file,
        Right.WRITE,
        lambda w, u: retry_file.request_retry_file(
            w.over, u, Selection(frozenset({Ending.EXPIRED})), submission=uuid.uuid4()
        ),
    ),
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
    (cost_report.Scope, "report", spent),
]

# Services that take a person and ask nothing, each with the reason.
WITHOUT_A_RIGHT = {
    price_quotes.histories_for: "workers, too, estimate with the lengths of earlier answers",
    requests_from_table.return_without_right: "a worker says that the person lost the right",
}


def fresh(row: Any) -> Any:
    """Return the row as it is stored: an allowed call of another person changed the object."""
    return type(row).objects.get(pk=row.pk)


def snapshot() -> dict[str, list[dict[str, Any]]]:
    """Return every row of the portal."""
    models = apps.get_app_config("batchapp").get_models()
    return {
        model.__name__: list(model._default_manager.order_by("pk").values()) for model in models
    }


def outcome_of(world: World, call: Callable[[], object]) -> str:
    """Make the call and undo it; a refused call must leave nothing written and nobody asked.

    A count of 0 is a refusal as well.
    """
    before, calls = snapshot(), len(world.provider.calls)
    with transaction.atomic():
        try:
            result = call()
            is_refused = type(result) is int and result == 0
            assert result is not False, "the call was allowed, and had nothing to do"
        except NotAllowed:
            is_refused = True
        if is_refused:
            assert snapshot() == before
            assert len(world.provider.calls) == calls
        transaction.set_rollback(True)
    return REFUSED if is_refused else ALLOWED


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
def test_a_right_is_allowed_or_refused_as_the_table_says(right: str, call: Call) -> None:
    world = World()

    outcomes = {
        name: outcome_of(world, lambda user=user: call(world, user))
        for name, user in world.people.items()
    }

    assert outcomes == row(CELLS[right], PEOPLE)


OWNERS = ["owner", "colleague", "admin", "viewer", "outsider", "owner who left", "deactivated"]
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
    cells: str, call: Callable[[World, User, ProviderKey], object]
) -> None:
    world = World()
    connection, people = world.project.connection, world.people
    owner = join(make_user(), world.project)
    own_key = make_key(owner, connection)
    actors = [
        (owner, own_key),
        (people["member"], own_key),
        (people["admin"], own_key),
        (people["viewer"], own_key),
        (people["outsider"], own_key),
        (people["former member"], make_key(people["former member"], connection)),
        (people["deactivated"], make_key(people["deactivated"], connection)),
    ]

    outcomes = {
        name: outcome_of(world, lambda user=user, key=key: call(world, user, fresh(key)))
        for name, (user, key) in zip(OWNERS, actors, strict=True)
    }

    assert outcomes == row(KEY_CELLS[cells], OWNERS)


@pytest.mark.parametrize("gone", ["owner who left", "deactivated"])
@pytest.mark.parametrize("verb", ["resume", "try again", "retry in place"])
def test_a_colleague_does_not_go_on_with_the_key_of_a_person_who_is_gone(
    gone: str, verb: str
) -> None:
    world = World()
    name = {"owner who left": "former member"}.get(gone, gone)
    key = make_key(world.people[name], world.project.connection)
    call = next(call for title, _, call in ON_PERSONAL_KEYS if title == verb)

    assert outcome_of(world, lambda: call(world, world.people["admin"], key)) == REFUSED


def test_a_person_may_add_only_an_own_key_or_one_of_a_managed_project() -> None:
    world = World()
    connection, people = world.project.connection, world.people

    def store(actor: User, owner: User | Project) -> str:
        return outcome_of(
            world, lambda: provider_keys.store(connection, actor, "sk-new", owner=owner)
        )

    assert store(people["outsider"], people["outsider"]) == ALLOWED
    assert store(people["admin"], people["member"]) == REFUSED
    assert store(people["deactivated"], people["deactivated"]) == REFUSED
    assert store(people["member"], world.project) == REFUSED


def test_a_role_that_was_lost_counts_at_once_outside_of_a_request() -> None:
    world = World()
    admin = world.people["admin"]
    assert outcome_of(world, lambda: order(world, admin, world.key)) == ALLOWED

    admin.memberships.all().delete()

    assert outcome_of(world, lambda: order(world, admin, world.key)) == REFUSED


def test_a_form_that_comes_again_from_an_outsider_shows_no_batch() -> None:
    world = World()

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
