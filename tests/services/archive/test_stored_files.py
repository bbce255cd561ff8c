"""Every stored file has a checksum from the moment it is written."""

import hashlib
import os
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import FileField

from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import ResultChunk
from batchapp.services.archive import stored_files
from tests.answered import make_export
from tests.make import MODEL, error_line, finish, make_batch, make_table

pytestmark = pytest.mark.django_db

PROMPT = PromptSettings(model=MODEL, prompt="Say {text}", max_tokens=20)


def test_every_field_that_stores_a_file_is_among_the_kinds() -> None:
    fields = {
        (model, field.name)
        for model in apps.get_app_config("batchapp").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, FileField)
    }

    assert {(kind.model, kind.blob) for kind in stored_files.FILE_KINDS} == fields


def test_files_of_every_kind_are_stored_with_their_checksum(stored: Path) -> None:
    batch = finish(make_batch(), None, [error_line(2)])
    make_export(batch)
    make_table(prompt_settings=PROMPT)

    files = list(stored_files.stored_files(None))

    assert {(file.kind.model, file.kind.blob) for file in files} == {
        (kind.model, kind.blob) for kind in stored_files.PROVEN_KINDS
    }
    for file in files:
        content = (stored / file.name).read_bytes()
        assert file.checksum == hashlib.sha256(content).hexdigest()
        assert file.size in {None, len(content)}


def test_blocks_have_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "ROWS_AT_ONCE", 2)
    batch = finish(make_batch())
    provider_batch = batch.provider_batches.get()
    for number in range(4):
        ResultChunk.objects.create(
            provider_batch=provider_batch, kind="output", blob=f"x{number}", lines=0, size=0
        )

    blocks = list(stored_files.blocks_of(ResultChunk.objects.all()))

    assert [len(block) for block in blocks] == [2, 2, 1]
    assert len({row.pk for block in blocks for row in block}) == 5


def test_a_file_of_no_row_is_an_orphan_unless_it_was_just_written(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_files, "ROWS_AT_ONCE", 2)
    finish(make_batch())
    left = stored / "results" / "gone" / "output.jsonl"
    left.parent.mkdir(parents=True)
    for path in (left, left.with_name("being-written.jsonl"), left.with_name("other.jsonl")):
        path.write_bytes(b"{}\n")
    hours_ago = left.stat().st_mtime - 2 * 3600
    for path in stored.rglob("*.jsonl"):
        if path.name != "being-written.jsonl":
            os.utime(path, (hours_ago, hours_ago))

    assert list(stored_files.orphans()) == [
        ("results/gone/other.jsonl", 3),
        ("results/gone/output.jsonl", 3),
    ]


def test_a_portal_that_stored_nothing_yet_has_no_orphans(stored: Path) -> None:
    stored.rmdir()

    assert list(stored_files.orphans()) == []
