"""The version in the code and the one that the changelog describes."""

import re

from batchapp import __version__
from tests.variables import ROOT


def test_the_newest_release_of_the_changelog_is_the_version_of_the_code():
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert re.findall(r"^## (.*)$", changelog, re.MULTILINE)[0] == "Unreleased"
    assert re.findall(r"^## (\S+) \S \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)[0] == __version__
