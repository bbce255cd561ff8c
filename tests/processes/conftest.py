from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.portal import Portal, portal


@pytest.fixture(scope="module")
def running_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """One portal for the tests of a module; each uses a project or key of its own."""
    data_dir: Path = tmp_path_factory.mktemp("portal")
    with portal(data_dir, speed=2) as it:
        yield it
