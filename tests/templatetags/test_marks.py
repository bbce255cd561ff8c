"""Marks of projects and people, whatever their names."""

import pytest
from django.http import HttpResponse
from django.template import Context, Template

from batchapp.models import Project, User
from batchapp.templatetags.marks import COLOURS, NON_JOINER, initials
from tests.html import Element, Page
from tests.variables import ROOT

FAMILY, FLAG, WAVE = "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👋🏽"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Support tickets", ["S", "T"]),
        ("support", ["S"]),
        ("release-notes_of 2025", ["R", "2"]),
        ("a b c d", ["A", "D"]),
        ("  Ada\u00a0Lovelace\n", ["A", "L"]),
        ("<b>bold</b>", ["B", "B"]),
        ("“Quoted” (again)", ["Q", "A"]),
        ("$5 offers", ["5", "O"]),
        ("élan e\u0301tude", ["É", "E\u0301"]),
        ("ßmall ǆ", ["S", "ǅ"]),
        ("王小明", ["王"]),
        ("مشروع الدعم", ["م", "\u0627"]),
        ("\u202eevil \u200fname", ["E", "N"]),
        ("हिन्दी", ["हि"]),
        (f"{FAMILY}family {WAVE}", ["F"]),
        (f"{FLAG}{FLAG}", ["?"]),
        (f"🇩🇪 Berlin 🇫🇷 {WAVE} Paris", ["B", "P"]),
        ("a" + 2000 * "\u0301", ["A"]),
        (2000 * "x", ["X"]),
        ("", ["?"]),
        (" -_/ ", ["?"]),
        ("… \u200d", ["?"]),
        ("\U000e0041", ["?"]),
    ],
)
def test_initials_are_the_first_whole_characters_of_the_first_and_last_word(
    name: str, expected: list[str]
) -> None:
    assert initials(name).split(NON_JOINER) == expected


def mark_of(tag: str, **context: object) -> Element:
    html = Template(f"{{% {tag} %}}").render(Context(context))
    return Page(HttpResponse(html)).one(".initials")


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (User(email="ada@example.com", first_name="Ada", last_name="Lovelace"), ["A", "L"]),
        (User(email="ada@example.com", first_name='"><script>'), ["S"]),
        (User(email="grace.hopper+work@example.com"), ["G", "H"]),
        (User(email="new@example.com"), ["N"]),
    ],
    ids=["name", "markup", "address of two words", "address"],
)
def test_a_person_without_a_name_has_the_initials_of_the_address(
    person: User, expected: list[str]
) -> None:
    mark = mark_of("person_mark person", person=person)

    assert mark["data-initials"].split(NON_JOINER) == expected


def test_a_mark_says_nothing_to_screen_readers() -> None:
    for mark in (
        mark_of("person_mark person", person=User(email="ada@example.com")),
        mark_of("project_mark project", project=Project(name="Support", slug="support")),
    ):
        assert mark["aria-hidden"] == "true"
        assert mark.text == ""


def test_a_project_keeps_its_colour_under_a_new_name_and_every_colour_has_a_style() -> None:
    styles = (ROOT / "batchapp/static/batchapp/css/components.css").read_text()
    projects = [Project(name="A", slug=f"project-{number}") for number in range(100)]
    colours = {
        project.slug: mark_of("project_mark project", project=project)["data-colour"]
        for project in projects
    }

    renamed = mark_of("project_mark project", project=Project(name="B", slug="project-7"))
    assert renamed["data-colour"] == colours["project-7"]
    assert set(colours.values()) == {str(number) for number in range(1, COLOURS + 1)}
    for number in set(colours.values()):
        assert f'[data-colour="{number}"] {{ background: var(--series-{number}); }}' in styles


@pytest.mark.parametrize("colour", [value for value in Project.Colour if value])
def test_a_mark_has_the_colour_that_was_chosen_and_every_colour_has_a_style(colour: int) -> None:
    styles = (ROOT / "batchapp/static/batchapp/css/components.css").read_text()
    project = Project(name="Support", slug="support", colour=colour)

    assert mark_of("project_mark project", project=project)["data-colour"] == str(colour)
    assert f'.initials[data-colour="{colour}"] {{' in styles


def test_a_choice_of_colours_shows_the_automatic_one_too() -> None:
    chosen = Project(name="Support", slug="support", colour=9)
    automatic = mark_of("project_mark project", project=Project(name="Support", slug="support"))

    assert (
        mark_of("project_mark project 0", project=chosen)["data-colour"]
        == (automatic["data-colour"])
    )
