"""The cost of answers that were cut short is kept for batches that ended before, too."""

import json
from decimal import Decimal

from batchapp.models import ModelCost
from tests.make import answer_line, finish, make_batch
from tests.migrations.conftest import Migrate

BEFORE, AFTER = "0022_cached_tokens", "0023_cut_short"


def cut_short(line: bytes) -> bytes:
    response = json.loads(line)
    response["response"]["body"]["choices"][0]["finish_reason"] = "length"
    return json.dumps(response).encode()


def test_answers_of_earlier_batches_are_added_up(migrate: Migrate) -> None:
    lines = [answer_line(number, tokens=(100, 50)) for number in (1, 2, 3)]
    batch = finish(make_batch(), [cut_short(lines[0]), cut_short(lines[1]), lines[2]])
    pk, whole = batch.model_costs.get().pk, finish(make_batch()).model_costs.get().pk
    migrate(BEFORE)

    migrate(AFTER)

    rows = ModelCost.objects.only("cut_short", "cut_short_usd").in_bulk([pk, whole])
    assert (rows[pk].cut_short, rows[pk].cut_short_usd) == (2, Decimal("0.0004"))
    assert (rows[whole].cut_short, rows[whole].cut_short_usd) == (0, None)
