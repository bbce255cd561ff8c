"""Windows in which a model of a file does not run."""

import uuid

import pytest

from batchapp.models import Batch, Connection, OfferedModel
from batchapp.services.orders import place_order
from batchapp.services.orders.model_windows import closed_windows
from tests.make import (
    MODEL,
    make_connection,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_line,
)
from tests.sentences import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection() -> Connection:
    connection = make_connection(windows=["24h", "1h"])
    for name, windows in [(MODEL, ["24h", "7d"]), ("acme/fast", ["1h"]), ("acme/any", [])]:
        OfferedModel.objects.create(connection=connection, model=name, windows=windows)
    return connection


def order(connection: Connection, *models: str, **choices: str) -> Batch:
    user = make_user()
    project = make_project(user, connection=connection)
    lines = [request_line(number, model=model) for number, model in enumerate(models, 1)]
    upload = make_upload(project, user, content="\n".join(lines).encode())
    return place_order.place_order(
        project, user, upload, make_key(project), submission=uuid.uuid4(), **choices
    )


@pytest.mark.parametrize(
    ("models", "closed"),
    [
        ([MODEL], {"1h": MODEL}),
        (["acme/fast"], {"24h": "acme/fast"}),
        (["acme/any", "acme/unknown"], {}),
        ([MODEL, "acme/any", "acme/fast"], {"1h": MODEL, "24h": "acme/fast"}),
    ],
)
def test_a_window_is_closed_if_a_model_does_not_run_in_it(
    connection: Connection, models: list[str], closed: dict[str, str]
) -> None:
    upload = make_upload(
        make_project(connection=connection),
        content="\n".join(
            request_line(number, model=model) for number, model in enumerate(models)
        ).encode(),
    )

    assert upload.report
    assert closed_windows(upload.report, connection) == closed


def test_nothing_is_ordered_in_a_closed_window(connection: Connection) -> None:
    with refused(f"{MODEL} does not run in the 1 h window. Choose one of: 24h."):
        order(connection, MODEL, window="1h")

    assert not Batch.objects.exists()
    assert order(connection, MODEL, "acme/any", window="24h").window == "24h"


def test_no_batch_falls_back_to_a_closed_window(connection: Connection) -> None:
    with refused("acme/fast does not run in the 24 h window. Choose one of: 1h."):
        order(connection, "acme/fast", window="1h", fallback="24h")


def test_models_without_a_common_window_are_to_be_split(connection: Connection) -> None:
    with refused("does not run in the 24 h window. Name another model, or split the file."):
        order(connection, MODEL, "acme/fast", window="24h")
