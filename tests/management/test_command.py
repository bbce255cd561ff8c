"""Only the commands that start a portal run the checks of the whole portal."""

from pathlib import Path

import pytest
from django.core.management import load_command_class

import batchapp.management.commands

FOLDER = Path(batchapp.management.commands.__file__).parent
START_A_PORTAL = {"serve", "demo"}
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_only_what_starts_a_portal_checks_all_of_it(name: str) -> None:
    checks = load_command_class("batchapp", name).requires_system_checks

    assert checks == ("__all__" if name in START_A_PORTAL else [])
