"""The provider is asked whether a batch would run."""

from typing import Any

import httpx
import pytest
from django.utils import timezone

from batchapp.models import REALTIME, Upload
from batchapp.presenters.readiness_text import readiness_error, readiness_text
from batchapp.services.orders import price_quotes, readiness
from batchapp.services.orders.readiness import Check, Level
from tests.make import MODEL, make_connection, make_project, make_upload, request_line
from tests.provider import Provider

pytestmark = pytest.mark.django_db

MODELS, BALANCE = "GET /v1/models", "GET /admin/api/v1/users/current"
TARIFFS = "GET /admin/api/v1/models"


def named() -> bytes:
    """A file whose custom_ids say something, so that there is no advice about them."""
    return "\n".join(request_line(n, custom_id=f"order-{n}-berlin") for n in (1, 2, 3)).encode()


@pytest.fixture
def upload() -> Upload:
    return make_upload(content=named())


def provider_of(**answers: httpx.Response) -> Provider:
    """One that offers MODEL and tells a balance, unless ``answers`` say otherwise."""
    known = {
        "models": httpx.Response(200, json={"data": [{"id": MODEL}, {"id": "another"}]}),
        "balance": httpx.Response(200, json={"credit_balance": "100"}),
        "tariffs": httpx.Response(404, text="Not found"),
    } | answers
    provider = Provider()
    calls = {MODELS: known["models"], BALANCE: known["balance"], TARIFFS: known["tariffs"]}
    provider.before = lambda call, _request: calls.get(call)
    return provider


def balance(amount: object) -> httpx.Response:
    return httpx.Response(200, json={"credit_balance": amount})


def check_all(upload: Upload, provider: Provider, window: str = "24h") -> list[Check]:
    report, connection = upload.report, upload.project.connection
    assert report
    windows = [*connection.windows, REALTIME, window]
    quotes = price_quotes.quote(report, connection, windows, timezone.now())
    with provider.client() as provider_api, provider.management() as platform:
        return readiness.check_readiness(
            upload, upload.uploaded_by, provider_api, quotes, window, platform=platform
        )


def levels(lines: list[Check]) -> list[Level]:
    return [line.level for line in lines]


def texts(lines: list[Check]) -> str:
    return " ".join(readiness_text(line) for line in lines)


def test_all_checks_pass_if_nothing_is_in_the_way(upload: Upload) -> None:
    lines = check_all(upload, provider_of())

    assert levels(lines) == [Level.PASSED] * 4
    assert "takes the key" in texts(lines)
    assert f"offers {MODEL}" in texts(lines)
    assert "The account behind the platform key has $100.00: enough" in texts(lines)
    assert "The 24 h window is on offer here. That is this portal's own setting." in texts(lines)


def test_a_model_that_is_not_offered_cannot_run_and_its_neighbour_is_named(
    upload: Upload,
) -> None:
    near = MODEL.replace("30B", "30b")
    offered = httpx.Response(200, json={"data": [{"id": near}, {"id": "gpt"}]})

    lines = check_all(upload, provider_of(models=offered))

    (line,) = [line for line in lines if line.level is Level.IMPOSSIBLE]
    assert f"does not offer {MODEL} to this key. Is it {near}?" in readiness_text(line)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, json={"data": []}), httpx.Response(404, text="Not found")],
)
def test_a_provider_that_lists_no_models_stands_in_nobodys_way(
    upload: Upload, answer: httpx.Response
) -> None:
    lines = check_all(upload, provider_of(models=answer))

    assert Level.WARNING in levels(lines)
    assert not {Level.BLOCKER, Level.IMPOSSIBLE} & set(levels(lines))


def test_a_refused_key_stops_and_nothing_more_is_asked(upload: Upload) -> None:
    provider = provider_of(models=httpx.Response(401, text="Authentication required"))

    lines = check_all(upload, provider)

    assert lines[0].level is Level.BLOCKER
    assert "refuses the key. Choose another one" in readiness_text(lines[0])
    assert "said: Authentication required" in readiness_text(lines[0])
    assert provider.calls == [MODELS]


def test_a_provider_that_is_silent_is_uncertain_and_asked_once(upload: Upload) -> None:
    def silent(_call: str, request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    provider = Provider()
    provider.before = silent

    lines = check_all(upload, provider)

    assert lines[0].level is Level.WARNING
    assert "the portal keeps trying" in readiness_text(lines[0])
    error = readiness_error(lines[0])
    assert error
    assert error not in readiness_text(lines[0])
    assert provider.calls == [MODELS]


@pytest.mark.parametrize(
    ("amount", "level", "text"),
    [
        ("-3.5", Level.BLOCKER, "has -$3.50: requests would fail"),
        (0, Level.BLOCKER, "has $0.00: requests would fail"),
        ("0.0001", Level.WARNING, "has $0.0001, which is below the expected cost of ~$0.0006"),
        ("0.00064", Level.WARNING, "but it may be up to $0.0007"),
        (0.5, Level.PASSED, "has $0.50: enough"),
        ("0.125", Level.PASSED, "has $0.13: enough"),
        ("0.0000004", Level.WARNING, "has <$0.000001, which is below"),
        (None, Level.HINT, "does not tell this key its balance"),
        (True, Level.HINT, "does not tell this key its balance"),
    ],
)
def test_the_balance_is_held_against_the_estimate(
    upload: Upload, amount: Any, level: Level, text: str
) -> None:
    report = upload.report
    assert report
    report.models[MODEL].max_output_tokens = report.models[MODEL].expected_output_tokens + 50
    quotes = price_quotes.quote(
        report, upload.project.connection, ["24h", "1h", REALTIME], timezone.now()
    )

    provider = provider_of(balance=balance(amount))
    with provider.client() as provider_api, provider.management() as platform:
        lines = readiness.check_readiness(
            upload, upload.uploaded_by, provider_api, quotes, "24h", platform=platform
        )

    assert [line.level for line in lines if text in readiness_text(line)] == [level]


def test_a_key_that_may_not_see_the_balance_is_only_a_hint(upload: Upload) -> None:
    lines = check_all(
        upload, provider_of(balance=httpx.Response(401, text="Authentication required"))
    )

    assert levels(lines) == [Level.PASSED, Level.PASSED, Level.HINT, Level.PASSED]


def test_the_balance_is_asked_with_the_platform_key_where_there_is_one(upload: Upload) -> None:
    report, connection = upload.report, upload.project.connection
    assert report
    quotes = price_quotes.quote(
        report, connection, [*connection.windows, REALTIME], timezone.now()
    )
    batches, management = provider_of(balance=balance(100)), provider_of(balance=balance(-1))

    with batches.client() as provider_api, management.management() as platform:
        lines = readiness.check_readiness(
            upload, upload.uploaded_by, provider_api, quotes, "24h", platform=platform
        )

    assert "The account behind the platform key has -$1.00: requests would fail." in texts(lines)
    assert (batches.calls, management.calls) == ([MODELS], [BALANCE, TARIFFS])
    assert Level.BLOCKER in levels(lines)


@pytest.mark.parametrize(
    ("windows", "level", "text"),
    [
        (["1h", "24h"], Level.PASSED, "offers the 24 h window."),
        (
            ["1h"],
            Level.BLOCKER,
            f"does not run {MODEL} in the 24 h window, by its own list. It offers",
        ),
        (None, Level.PASSED, "this portal's own setting"),
    ],
)
def test_the_windows_of_a_model_are_asked_where_there_is_a_platform_key(
    upload: Upload, windows: list[str] | None, level: Level, text: str
) -> None:
    report, connection = upload.report, upload.project.connection
    assert report
    quotes = price_quotes.quote(
        report, connection, [*connection.windows, REALTIME], timezone.now()
    )
    listed = {"alias": MODEL, "tariffs": [], "allowed_batch_completion_windows": windows}
    answer = httpx.Response(200, json={"data": [listed], "total_count": 1})

    with (
        provider_of().client() as provider_api,
        provider_of(tariffs=answer).management() as platform,
    ):
        lines = readiness.check_readiness(
            upload, upload.uploaded_by, provider_api, quotes, "24h", platform=platform
        )

    assert [line.level for line in lines if text in readiness_text(line)] == [level]


def test_what_a_silent_provider_did_not_say_is_not_asked_again(upload: Upload) -> None:
    report, connection = upload.report, upload.project.connection
    assert report
    quotes = price_quotes.quote(
        report, connection, [*connection.windows, REALTIME], timezone.now()
    )
    management = provider_of()
    silent = provider_of(models=httpx.Response(502))

    with silent.client() as provider_api, management.management() as platform:
        readiness.check_readiness(
            upload, upload.uploaded_by, provider_api, quotes, "24h", platform=platform
        )

    assert management.calls == []


def test_a_model_without_a_price_can_be_set_on_the_files_page(upload: Upload) -> None:
    offered = httpx.Response(200, json={"data": [{"id": "another"}]})
    assert "Correct the model in the file" in texts(check_all(upload, provider_of(models=offered)))

    upload.project.connection.prices.all().delete()

    assert "Set another model, on the file's page or in the file itself, or choose a key" in texts(
        check_all(upload, provider_of(models=offered))
    )


def test_without_all_prices_no_balance_is_called_enough(upload: Upload) -> None:
    upload.project.connection.prices.all().delete()

    lines = check_all(upload, provider_of())

    assert "nobody knows whether that is enough" in texts(lines)
    assert Level.WARNING in levels(lines)


def test_a_sandbox_is_not_asked_for_a_balance() -> None:
    sandbox = make_project(connection=make_connection(is_sandbox=True))
    provider = provider_of()

    check_all(make_upload(sandbox, content=named()), provider)

    assert BALANCE not in provider.calls


def test_a_window_that_is_not_on_offer_cannot_run(upload: Upload) -> None:
    lines = check_all(upload, provider_of(), "7d")

    assert "The 7d window is not on offer. Choose one of: 24h, 1h." in texts(lines)
    assert Level.IMPOSSIBLE in levels(lines)


def test_improvements_are_hints() -> None:
    connection = make_connection(max_requests=2)
    upload = make_upload(make_project(connection=connection))

    advice = [line for line in check_all(upload, provider_of(), "1h") if line.level is Level.HINT]

    assert len(advice) == 3
    assert "The custom_ids only count (“row-1”)" in readiness_text(advice[0])
    assert "the 24 h window is expected to cost about $0.0006" in readiness_text(advice[1])
    assert f"as 2 provider batches, since {connection} takes 2 requests a file" in readiness_text(
        advice[2]
    )


def test_deleted_bytes_give_no_hint(upload: Upload) -> None:
    upload.blob.delete(save=False)

    assert Level.PASSED in levels(check_all(upload, provider_of()))
