"""Only the portal's own user can read what it stores, whatever the umask of its start."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from config.file_modes import make_private
from tests.processes.portal import ROOT, portal

NOBODY = 65534


@pytest.fixture(params=["000", "022"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let this process and its children create files under an open umask."""
    before = os.umask(int(request.param, 8))
    yield int(request.param, 8)
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    return [f"{path}: {path.stat().st_mode:o}" for path in paths if path.stat().st_mode & 0o077]


def modes(*paths: Path) -> list[str]:
    return [f"{stat.S_IMODE(path.stat().st_mode):o}" for path in paths]


def test_a_new_folder_and_what_is_made_in_it_are_private(tmp_path: Path, umask: int) -> None:
    make_private(tmp_path / "data")
    (tmp_path / "data/portal.sqlite3").touch()
    (tmp_path / "data/files").mkdir()

    assert open_to_others(tmp_path / "data") == []


def test_a_folder_that_was_open_is_closed_with_all_that_is_in_it(
    tmp_path: Path, umask: int
) -> None:
    folder = tmp_path / "data"
    (folder / "files/2026").mkdir(parents=True)
    database, file = folder / "portal.sqlite3", folder / "files/2026/a.jsonl"
    program = folder / "run.sh"
    for path in (database, file, program):
        path.touch()
    program.chmod(0o755)

    make_private(folder)

    assert open_to_others(folder) == []
    assert modes(folder, database, file, program) == ["700", "600", "600", "700"]


def test_files_below_a_folder_that_others_do_not_own_are_closed_too(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "portal.sqlite3").touch(mode=0o644)
    (folder / "portal.sqlite3").chmod(0o644)

    make_private(folder)

    assert open_to_others(folder) == []


def test_a_link_in_the_folder_closes_nothing_outside_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "link").symlink_to(outside)

    make_private(folder)

    assert modes(outside) == ["755"]


def test_a_folder_for_everybody_stays_so_and_what_is_in_it_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "secrets").mkdir(mode=0o755)
    (folder / "secrets").chmod(0o755)

    make_private(folder)

    assert modes(folder, folder / "secrets") == ["1777", "700"]
    assert "is shared with other users" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_keeps_in_a_folder_for_everybody_stays_open(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    theirs = folder / "theirs"
    theirs.touch()
    theirs.chmod(0o666)
    os.chown(theirs, NOBODY, NOBODY)

    make_private(folder)

    assert modes(theirs) == ["666"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user_is_used_and_named_in_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        os.seteuid(NOBODY)
        try:
            make_private(folder)
        finally:
            os.seteuid(0)

        assert "Other users may be able to read" in caplog.text
        assert modes(folder) == ["777"]


@pytest.mark.processes
@pytest.mark.parametrize("umask", ["000"], indirect=True)
def test_all_that_a_portal_at_work_stores_is_private(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "logs").mkdir(mode=0o755)

    with portal(folder, speed=20) as running:
        running.bootstrap()
        sample = ROOT / "batchapp/data/samples/tools.jsonl"
        running.manage("run", str(sample), "--project", "demo", "--wait")
        found = open_to_others(folder)

    assert found == []
    assert modes(folder) == ["700"]
    assert {path.name for path in folder.iterdir()} >= {"files", "secrets", "exports"}
