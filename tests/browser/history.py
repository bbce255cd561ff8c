"""Finished batches of the last ten weeks, so that lists, charts and reports look as in use."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from batchapp.models import Batch, ModelCost, Project, Reservation, User

MODELS = [
    "Qwen/Qwen3.5-4B",
    "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
    "Qwen/Qwen3-14B-FP8",
    "Qwen/Qwen3.5-397B-A17B",
]

# Days ago, name, requests, number of the model, cost in USD.
RUNS = [
    (1, "Support tickets, week 47", 1_100, 0, "1.84"),
    (2, "Reviews with photos", 2_400, 1, "4.37"),
    (3, "Product texts in French", 860, 2, "0.92"),
    (5, "Invoices of October", 3_150, 1, "12.72"),
    (6, "Support tickets, week 46", 1_040, 0, "1.71"),
    (8, "Survey, open answers", 5_600, 2, "6.05"),
    (9, "Product texts in German", 860, 2, "0.95"),
    (12, "Contracts, first reading", 420, 3, "21.60"),
    (13, "Support tickets, week 45", 1_210, 0, "1.98"),
    (16, "Reviews of summer", 9_800, 0, "8.40"),
    (18, "Photos of returned goods", 1_300, 1, "5.12"),
    (20, "Support tickets, week 44", 980, 0, "1.55"),
    (22, "Addresses, made alike", 12_000, 0, "3.20"),
    (25, "Product texts in Spanish", 860, 2, "0.90"),
    (27, "Support tickets, week 43", 1_150, 0, "1.80"),
    (33, "Reviews, second reading", 2_400, 1, "4.41"),
    (38, "Contracts, summaries", 420, 3, "18.25"),
    (44, "Survey, codes", 5_600, 2, "5.70"),
    (52, "Reviews of spring", 7_300, 0, "6.25"),
    (66, "Support tickets, week 37", 1_020, 0, "1.62"),
]


def add_history(example: Batch, projects: list[Project], people: list[User]) -> None:
    """Copy ``example`` and its cost for each of ``RUNS``, by turns of project and person."""
    batches, costs = [], []
    cost_example = example.model_costs.get()
    now = timezone.now()
    for number, (days, name, requests, model, cost) in enumerate(RUNS):
        created = now - timedelta(days=days, hours=number % 7, minutes=7 * number % 60)
        finished = created + timedelta(minutes=12 + 9 * (number % 8))
        failed = requests // 150 if number % 5 == 1 else 0
        paid = Decimal(cost)
        fields = _fields(example) | {
            "name": name,
            "project_id": projects[number % len(projects)].pk,
            "created_by_id": people[number % len(people)].pk,
            "requests": requests,
            "succeeded": requests - failed,
            "usable": requests - failed,
            "failed": failed,
            "finished_at": finished,
            "estimated_cost_usd": paid * Decimal("1.08"),
            "actual_cost_usd": paid,
            "submission": uuid.uuid4(),
        }
        batch = Batch(**fields)
        batches.append((batch, created))
        scale = requests // cost_example.requests + 1
        costs.append(
            ModelCost(
                **_fields(cost_example)
                | {
                    "batch_id": batch.pk,
                    "model": MODELS[model],
                    "requests": requests,
                    "answers": requests - failed,
                    "input_tokens": 40 * scale * cost_example.input_tokens,
                    "output_tokens": 40 * scale * cost_example.output_tokens,
                    "estimated_cost_usd": paid * Decimal("1.08"),
                    "estimated_low_usd": paid * Decimal("0.6"),
                    "estimated_ceiling_usd": paid * Decimal("1.9"),
                    "cost_usd": paid,
                    "realtime_cost_usd": paid * Decimal("2.4"),
                    "measured_at": finished,
                }
            )
        )
    Batch.objects.bulk_create(batch for batch, _ in batches)
    ModelCost.objects.bulk_create(costs)
    for batch, created in batches:
        batch.created_at = created
    Batch.objects.bulk_update([batch for batch, _ in batches], ["created_at"])
    for (batch, _), cost in zip(batches, costs, strict=True):
        Reservation.objects.settle(batch, [cost])  # budgets count these batches as well


def _fields(row: Any) -> dict[str, Any]:
    return {
        each.attname: getattr(row, each.attname)
        for each in row._meta.concrete_fields
        if not each.primary_key
    }
