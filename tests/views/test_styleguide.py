"""The style page shows what the pages are made of."""

import re
from pathlib import Path

import pytest
from django.test import Client

from tests.html import page_of
from tests.make import make_administrator
from tests.variables import ROOT

DRAWINGS = sorted((ROOT / "templates/batchapp/drawings").iterdir())
MOST_BYTES = 1500  # a drawing is sent with each page that shows it


@pytest.mark.django_db
def test_it_shows_every_drawing(client: Client) -> None:
    client.force_login(make_administrator())

    page = page_of(client, "/styleguide/")

    assert page.texts("#drawings code") == [path.stem for path in DRAWINGS]
    assert len(page.all("#drawings .drawing")) == len(DRAWINGS) > 0


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_a_drawing_is_small_and_has_the_colours_of_the_theme(path: Path) -> None:
    markup = path.read_text()

    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', markup))
    assert len(markup.encode()) <= MOST_BYTES
    assert "currentColor" in colours
    assert {each for each in colours if not each.startswith("var(--")} <= {"currentColor", "none"}
    assert 'aria-hidden="true"' in markup
