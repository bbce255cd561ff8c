"""Correct a file from a terminal: the arguments of a command, and the writing of the new file."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from batchapp.domain.corrections.corrected_file import describe_changes
from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    Choice,
    CorrectionKind,
    corrections_for,
)
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.corrections.plan import make_plan
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading.gunzip import UnpackedFile

CHUNK = 1024 * 1024
PLANNED_BYTES = 256 * 1024  # at the start of the file
USAGE = 2  # exit status
NEEDS_PRICES = frozenset({CorrectionKind.MARK_SHARED_PROMPT})


def add_correction_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="NEW",
        help="write a corrected file here, and check it; FILE stays as it is",
    )
    parser.add_argument(
        "--correct",
        action="append",
        choices=[kind.value for kind in CORRECTION_RULES if kind not in NEEDS_PRICES],
        metavar="CORRECTION",
        help="make this correction, maybe among others; by default those that keep every request",
    )
    parser.add_argument("--model", metavar="NAME", help="for requests that name no model")
    parser.add_argument("--endpoint", metavar="URL", help="for requests that do not tell theirs")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="for requests without such a limit"
    )


def write_corrected_file(report: Report, limits: Limits, options: Mapping[str, Any]) -> str:
    """Write ``options["output"]`` as ``report`` and the options say; return what was changed.

    Raises:
        CommandError: the options lack something, or a file cannot be read or written; there is
            no new file then.
    """
    source, target = Path(options["file"]), Path(options["output"])
    if options["file"] == "-":
        message = "Name a FILE to correct; standard input can be read only once."
        raise CommandError(message, returncode=USAGE)
    if target.exists():
        raise CommandError(f"{target} exists already; choose another name.", returncode=USAGE)
    choice = _choice(source, report, limits, options)
    try:
        corrector = Corrector(choice, limits)
    except ValueError as exc:
        message = "Say --model and --max-tokens for the corrections that write them."
        raise CommandError(message, returncode=USAGE) from exc
    unfinished = target.with_name(f"{target.name}.part")
    try:
        with unfinished.open("wb") as new:
            new.writelines(corrector.run(lambda: _chunks(source)))
        unfinished.rename(target)
    except OSError as exc:
        unfinished.unlink(missing_ok=True)
        raise CommandError(
            f"{target} cannot be written: {exc.strerror or exc}.", returncode=USAGE
        ) from exc
    return f"{target}: {describe_changes(corrector.changed, choice)}."


def _choice(source: Path, report: Report, limits: Limits, options: Mapping[str, Any]) -> Choice:
    kinds = {CorrectionKind(name) for name in options["correct"] or ()}
    if not kinds:
        head = b"".join(_head(source))
        is_whole = len(head) < PLANNED_BYTES
        plan = make_plan(head, report.finding_totals, limits, is_whole=is_whole)
        kinds = {*_that_keep_requests(report), *(plan.corrections if plan else ())}
    model, max_tokens = options["model"] or "", options["max_tokens"] or 0
    for kind, value in (
        (CorrectionKind.SET_MODEL, model),
        (CorrectionKind.SET_MAX_TOKENS, max_tokens),
    ):
        if value:
            kinds.add(kind)
        elif not options["correct"]:
            kinds.discard(kind)
    url = options["endpoint"] or ""
    return Choice(frozenset(kinds), model=model, max_tokens=max_tokens, url=url)


def _that_keep_requests(report: Report) -> Iterator[CorrectionKind]:
    """Yield the first correction of each finding, unless requests are dropped by it."""
    for code in report.finding_totals:
        for kind in corrections_for(code)[:1]:
            if CORRECTION_RULES[kind].is_default and kind is not CorrectionKind.DROP_BAD_ROWS:
                yield kind


def _chunks(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        yield from UnpackedFile(iter(lambda: file.read(CHUNK), b""))


def _head(source: Path) -> Iterator[bytes]:
    size = 0
    for chunk in _chunks(source):
        yield chunk[: PLANNED_BYTES - size]
        size += len(chunk)
        if size >= PLANNED_BYTES:
            return
