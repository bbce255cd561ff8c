"""The report that the check of a request file returns."""

import msgspec

from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.findings import Finding, Severity


class ModelFacts(msgspec.Struct):
    """The sums of all requests of a file to one model.

    ``input_tokens`` is the count that the model's server will find if ``exact``, else an estimate,
    see ``domain.tokens``. The size of ``assumed_attachments``, such as images given by address,
    could not be seen. A report stored before ``exact`` existed is not exact.

    ``max_output_tokens`` sums ``max_tokens`` of the requests that set it, ``unbounded_requests``
    counts the requests that do not. ``expected_output_tokens``, and a low and a high figure, cover
    both; ``output_basis`` says in words what they come from, and ``says_length`` that the requests
    themselves do. A report stored before these were known has an empty basis and no high figure.
    ``embeddings`` is True if all requests are for embeddings. ``shape`` is shared by most of the
    requests, see ``request_shape``; "" if there is no such shape. ``provider_batches`` is how many
    files its requests fill if no other model may be in them, for a report stored before it was
    counted 1.
    """

    requests: int = 0
    input_tokens: int = 0
    expected_output_tokens: int = 0
    expected_low_tokens: int = 0
    expected_high_tokens: int | None = None
    output_basis: str = ""
    says_length: bool = False
    max_output_tokens: int = 0
    unbounded_requests: int = 0
    attachments: int = 0
    embeddings: bool = False
    exact: bool = False
    assumed_attachments: int = 0
    shape: str = ""
    provider_batches: int = 1


class Report(msgspec.Struct):
    """Survives ``msgspec.to_builtins`` and ``msgspec.convert`` unchanged.

    ``requests`` counts the lines that are not blank. ``findings`` keeps the first
    ``FINDINGS_KEPT_PER_CODE`` of each code; ``finding_totals`` (by code) and ``severities`` have
    the true counts. ``models`` and ``urls`` (request url -> count) cover only the lines without
    errors. ``repeated`` is the share of ``models`` of requests whose body is identical to that of
    an earlier line. ``bytes`` of a gzip archive are the bytes of its unpacked content.
    ``prompts`` says which beginnings of prompts requests share, by model; a model without any is
    absent, and so are all models of a report stored before it existed.
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
    prompts: dict[str, PromptFacts] = {}

    @property
    def is_valid(self) -> bool:
        """Return True if the file may be sent: it has no errors, but may have warnings."""
        return not self.severities.get(Severity.ERROR, 0)

    @property
    def most_used_url(self) -> str:
        return max(self.urls, key=lambda url: self.urls[url])
