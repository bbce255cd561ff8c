"""Each refusal has one sentence, and each sentence finds its facts."""

import ast
import string

import pytest

from batchapp.domain.refused import Refusal, Refused
from batchapp.presenters.refusal_text import SENTENCES, refusal_text
from tests.presenters.facts_in_code import calls, members_used


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    assert set(SENTENCES) == set(Refusal)


def test_every_code_is_raised_somewhere() -> None:
    assert members_used("Refusal") == {refusal.name for refusal in Refusal}


def test_a_code_without_a_sentence_raises() -> None:
    with pytest.raises(KeyError):
        refusal_text(Refused("no_such_code"))  # type: ignore[arg-type]


def test_whoever_refuses_gives_the_facts_that_the_sentence_names() -> None:
    raised = 0
    for call in calls("Refused"):
        code = ast.unparse(call.args[0]).removeprefix("Refusal.")
        if code not in Refusal.__members__:
            continue  # a variable, whose members have no facts
        raised += 1
        sentence = SENTENCES[Refusal[code]]
        given = {keyword.arg for keyword in call.keywords}
        if isinstance(sentence, str):
            fields = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
            assert fields <= given, code
    assert raised > 50


@pytest.mark.parametrize(
    ("refused", "says"),
    [
        (Refused(Refusal.KEY_IN_USE, batches=1), "1 unfinished batch needs this key. "),
        (Refused(Refusal.KEY_IN_USE, batches=1_200), "1,200 unfinished batches need this key. "),
        (
            Refused(Refusal.WINDOW_NOT_OFFERED, connection="Acme", window="1w", windows=["24h"]),
            "Acme does not offer the 1w window. Choose one of: 24h.",
        ),
        (
            Refused(Refusal.REMOTE_FILE_TOO_LARGE, limit_bytes=200 * 1024 * 1024),
            "Its file is larger than the portal takes: 200 MiB. ",
        ),
        (
            Refused(Refusal.IMPORT_IDS_REPEATED, findings=[[1_002, "It is a duplicate."]]),
            "Several of its requests have the same custom_id, ",
        ),
        (
            Refused(
                Refusal.IMPORT_FILE_FAULTY, connection="Acme", findings=[[2, "a"], [1_002, "b"]]
            ),
            "Acme took its file, but the check here finds errors in it, so ",
        ),
        (
            Refused(Refusal.WORKBOOK_FILE_TOO_LARGE, file="xl/a.xml", bytes=300 * 1024 * 1024),
            "The workbook is too large to be read: xl/a.xml has 300 MiB unpacked. ",
        ),
    ],
)
def test_numbers_and_lists_are_written_as_people_write_them(refused: Refused, says: str) -> None:
    assert refusal_text(refused).startswith(says)


def test_the_findings_of_a_file_are_named_with_their_lines() -> None:
    findings = [[2, "No model."], [1_002, "No body."]]
    refused = Refused(Refusal.IMPORT_FILE_FAULTY, connection="Acme", findings=findings)

    assert refusal_text(refused).endswith(" Line 2: No model. Line 1,002: No body.")
