"""What a check of a request file found."""

import msgspec

from batchapp.domain.request_files.findings import Finding, Severity


class ModelFacts(msgspec.Struct):
    """What a file asks of one model.

    ``input_tokens`` is what the model's server will count if ``exact``, else about that, see
    ``tokens``; the size of ``assumed_attachments``, such as images given by address, could not be
    seen. A report stored before there was ``exact`` is not.

    ``max_output_tokens`` adds up ``max_tokens`` where it is given, ``unbounded_requests`` counts
    where it is not, and ``expected_output_tokens`` covers both. ``embeddings`` is true when
    nothing else is asked of the model. ``shape`` is what most of its requests have in common, see
    ``shapes``; "" if nothing is.
    """

    requests: int = 0
    input_tokens: int = 0
    expected_output_tokens: int = 0
    max_output_tokens: int = 0
    unbounded_requests: int = 0
    attachments: int = 0
    embeddings: bool = False
    exact: bool = False
    assumed_attachments: int = 0
    shape: str = ""


class Report(msgspec.Struct):
    """Goes through ``msgspec.to_builtins`` and ``msgspec.convert`` unchanged.

    ``requests`` counts the lines that are not blank. ``faults`` keeps the first
    ``FAULTS_KEPT_PER_CODE`` of each code; ``fault_totals`` (by code) and ``severities`` have the
    true counts. ``models`` and ``urls`` (request url -> count) know only the lines without error.
    ``repeated`` is the part of ``models`` that asks word for word what an earlier line asks.
    ``bytes`` of a gzip archive are those of its content. ``parts`` is in how many files the
    provider gets it.
    """

    requests: int
    bytes: int
    findings: list[Finding]
    finding_totals: dict[str, int]
    severities: dict[str, int]
    models: dict[str, ModelFacts]
    urls: dict[str, int]
    repeated: dict[str, ModelFacts] = {}
    is_gzip: bool = False
    provider_batches: int = 1

    @property
    def is_valid(self) -> bool:
        """Whether the file may be sent: it has no errors, though it may have warnings."""
        return not self.severities.get(Severity.ERROR, 0)
