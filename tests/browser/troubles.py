"""Batches at a provider that differs from OpenAI as real ones do, for the gallery.

They run against a provider on loopback, which is gone when the pages are shown.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from batchapp.models import Batch, ProviderBatch, User
from batchapp.services.lifecycle import controls
from tests import make
from tests.odd_provider import OddProvider, failed, odd_provider
from tests.steps import run_step, run_steps

MODELS = ("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "small-1")
ACCOUNT = "org-7f3a91c2 of the department of evaluation"
FULL = {"error": {"code": "too_many_batches", "message": f"At most 2 batches allowed: {ACCOUNT}."}}
UNPAID = {
    "type": "error",
    "error": {
        "type": "invalid_request_error",
        "message": "Your credit balance is too low to access the API. Please go to Plans & "
        "Billing to upgrade or purchase credits.",
    },
}
REASONS = [
    {"line": line, "code": "invalid_request", "message": f"The model small-{line} is not served."}
    for line in (1, 2, 3)
]


def seed(ada: User) -> dict[str, str]:
    """Order the batches, bring each into its state, and return their ids."""
    with odd_provider() as provider:
        provider.path = "/api/paas/v4"
        connection = make.make_connection(
            name="Batches of the university",
            kind="openai",
            base_url=f"{provider.url}{provider.path}",
            windows=["24h"],
            create_grace_seconds=0,
        )
        for model, usd in zip(MODELS, ("900", "40"), strict=True):
            make.make_price(connection, "24h", Decimal(usd), Decimal(usd), model=model)
        project = make.make_project(
            ada, role=make.OWNER, name="Evaluation", slug="evaluation", connection=connection
        )
        key = make.make_key(project)
        lines = [make.request_line(n, model=MODELS[n % 3 == 0]) for n in range(60)]
        mixed = make.make_upload(
            project, ada, name="two-models.jsonl", content="\n".join(lines).encode()
        )

        def order(name: str, **fields: Any) -> ProviderBatch:
            batch = make.make_batch(project, ada, key=key, name=name, **fields)
            return run_step(batch.provider_batches.order_by("number")[0])

        provider.runs_on = True
        divided = order("Two models", upload=mixed).batch
        for row in divided.provider_batches.order_by("number"):
            run_step(run_step(row))
        waiting = _refused(provider, 400, FULL, lambda: order("Behind others"))
        unpaid = _refused(provider, 400, UNPAID, lambda: order("Without credits"))
        provider.show = lambda batch: batch | {"status": "JOB_STATE_SIMMERING"}
        odd = run_step(run_step(order("In a state of its own")))
        provider.show = lambda batch: batch
        stopped = run_step(run_step(order("Ended early", upload=mixed)))
        controls.request_cancel(stopped.batch, ada)
        for row in stopped.batch.provider_batches.order_by("number"):
            run_steps(row)
        provider.runs_on = False
        provider.end = lambda _requests: failed(errors={"object": "list", "data": REASONS})
        whole = run_steps(order("Refused as a whole"))
    rows = {"divided": divided, "unpaid": unpaid, "odd_state": odd.batch, "room": waiting}
    rows |= {"ended_early": stopped.batch, "whole": whole}
    paths = {name: str(row.pk) for name, row in rows.items()}
    return paths | {"mixed_models": str(mixed.pk), "evaluation_key": str(key.pk)}


def _refused(
    provider: OddProvider, status: int, answer: object, order: Callable[[], ProviderBatch]
) -> Batch:
    """Order a batch whose create is refused with ``answer``."""
    provider.refuse = lambda call: (status, answer) if call == "POST batches" else None
    row = run_step(order())
    provider.refuse = lambda call: None
    return row.batch
