"""The words of an order about a file that is divided by model, before anything is paid."""

from dataclasses import dataclass

from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.check_file import Report
from batchapp.models import Connection
from batchapp.services.orders.division import provider_batches_by_model
from batchapp.templatetags.words import count, usd


@dataclass(frozen=True, slots=True)
class ModelShare:
    """The requests of one model; ``cost`` is what is expected of them in words."""

    model: str
    provider_batches: int
    requests: int
    cost: str

    @property
    def text(self) -> str:
        """Return what the model gets, such as "2 provider batches, 60 requests, ~$1.20"."""
        batches = count(self.provider_batches, "provider batch,provider batches")
        return f"{batches}, {count(self.requests, 'request')}, {self.cost}"


def model_shares(
    report: Report, connection: Connection, quote: Estimate | None
) -> list[ModelShare]:
    """Return what each model gets, the most requests first; [] if the file is not divided.

    ``quote`` is that of the chosen window; None if no prices are known.
    """
    costs = {line.model: line.expected_usd for line in quote.models} if quote else {}
    shares = [
        ModelShare(
            model,
            number,
            report.models[model].requests,
            "no price" if (cost := costs.get(model)) is None else f"~{usd(cost)} expected",
        )
        for model, number in provider_batches_by_model(report, connection).items()
    ]
    return sorted(shares, key=lambda share: -share.requests)


def division_sentence(connection: Connection, shares: list[ModelShare]) -> str:
    """Say that the file is divided, and into how many provider batches."""
    number = sum(share.provider_batches for share in shares)
    return (
        f"{connection} takes one model in a file, so the requests are divided by model into "
        f"{count(number, 'provider batch,provider batches')}; they stay one batch here."
    )
