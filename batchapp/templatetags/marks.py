"""Marks: a project as a coloured square, a person as a circle, each with one or two initials.

A mark stands beside the name that it abbreviates, so screen readers skip it. The initials are in
an attribute, which the style sheet shows: they are no text of the page, and no search finds them.
"""

import hashlib

import regex
from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from batchapp.models import Project, User

register = template.Library()

COLOURS = 6  # automatic ones: in the style sheet, --series-1 and the following
LONGEST = 16  # code points of one letter; more are marks piled up to overflow

SEPARATOR = regex.compile(r"[\s\-_/]+")
NO_INITIAL = regex.compile(r"^[^\p{L}\p{N}]+")  # not every font has emoji
CHARACTER = regex.compile(r"\X")  # as people count: a letter with its accents is one
NON_JOINER = "\u200c"  # else Arabic letters join


def automatic_colour(slug: str) -> int:
    """Return the number of the automatic colour, which follows from the slug and never changes."""
    return hashlib.sha256(slug.encode()).digest()[0] % COLOURS + 1


def mark_colour(project: Project) -> int:
    """Return the number of the colour that the owners chose, else the automatic one."""
    return project.colour or automatic_colour(project.slug)


@register.simple_tag
def project_mark(project: Project, colour: int | None = None) -> SafeString:
    """Return the mark of ``project`` in ``colour``, by default in the one that its owners chose.

    The colour 0 is the automatic one.
    """
    number = project.colour if colour is None else colour
    return format_html(
        '<span class="initials" data-colour="{}" data-initials="{}" aria-hidden="true"></span>',
        number or automatic_colour(project.slug),
        initials(project.name),
    )


@register.simple_tag
def person_mark(user: User) -> SafeString:
    """Return the mark of ``user``: the initials of the name, else of the e-mail address."""
    name = user.get_full_name() or user.email.partition("@")[0].replace(".", " ")
    return format_html(
        '<span class="initials person" data-initials="{}" aria-hidden="true"></span>',
        initials(name),
    )


def initials(name: str) -> str:
    """Return the first letters of the first and the last word of ``name``, in capitals.

    Signs and emoji before a letter or digit are skipped; a name of nothing else has "?".
    """
    words = [NO_INITIAL.sub("", word) for word in SEPARATOR.split(name)]
    words = [word for word in words if word]
    ends = [words[0], words[-1]] if len(words) > 1 else words
    return NON_JOINER.join(map(_first_character, ends)) or "?"


def _first_character(word: str) -> str:
    # The title case of one character may be several, such as "Ss" for "ß".
    capital: str = CHARACTER.match(CHARACTER.match(word)[0].title())[0]
    return capital if len(capital) <= LONGEST else capital[0]
