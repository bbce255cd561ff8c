"""How many provider batches a file becomes, where the provider takes one model in a file."""

from batchapp.domain.request_files.check_file import Report
from batchapp.models import Connection


def provider_batches_by_model(report: Report, connection: Connection) -> dict[str, int]:
    """Return model -> its provider batches; {} if the requests of all models go together."""
    if not connection.capabilities.one_model_per_file or len(report.models) < 2:
        return {}
    return {model: facts.provider_batches for model, facts in report.models.items()}


def count_provider_batches(report: Report, connection: Connection) -> int:
    """Return how many provider batches an order of the whole file becomes."""
    return sum(provider_batches_by_model(report, connection).values()) or report.provider_batches
