"""Copies of stored files on this host, which several processes share."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from batchapp.storage.local_copies import LocalCopies
from tests.variables import ROOT

HOLD = """
import sys
from pathlib import Path
from batchapp.storage.local_copies import LocalCopies

def download(file):
    file.write(b"abcd")
    if sys.argv[2] == "download":
        print("there", flush=True)
        sys.stdin.read()

with LocalCopies(Path(sys.argv[1]), 0).open_copy("held", lambda: 4, download) as path:
    print("there", flush=True)
    sys.stdin.read()
"""


class Source:
    """Files of four bytes; ``downloads`` has the names of those that were downloaded."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.copies = LocalCopies(folder, max_bytes)
        self.downloads: list[str] = []

    def read(self, name: str) -> bytes:
        def download(file: IO[bytes]) -> None:
            self.downloads.append(name)
            file.write(name.encode() * 4)

        with self.copies.open_copy(name, lambda: 4, download) as path:
            time.sleep(0.02)  # the times of files have the steps of the system's clock
            return path.read_bytes()


def other_process(folder: Path, until: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), until],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "there\n"
    return process


def test_a_file_is_downloaded_once(tmp_path: Path) -> None:
    source = Source(tmp_path / "copies", 100)

    assert [source.read("a"), source.read("b"), source.read("a")] == [b"aaaa", b"bbbb", b"aaaa"]
    assert source.downloads == ["a", "b"]
    assert {path.stat().st_mode & 0o77 for path in (tmp_path / "copies").iterdir()} == {0}


def test_the_copies_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    source = Source(tmp_path, 8)

    for name in "abac":
        source.read(name)
    source.downloads.clear()

    assert [source.read("a"), source.read("c"), source.read("b")]
    assert source.downloads == ["b"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 8


def test_a_copy_that_nobody_used_for_a_day_goes_although_there_is_room(tmp_path: Path) -> None:
    source = Source(tmp_path, 100)
    source.read("a")
    source.read("b")
    (a,) = (path for path in tmp_path.iterdir() if path.read_bytes() == b"aaaa")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(a, (two_days_ago, two_days_ago))

    source.read("c")

    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"bbbb", b"cccc"]


def test_the_copy_of_a_deleted_file_is_deleted_with_it(tmp_path: Path) -> None:
    source = Source(tmp_path, 100)
    source.read("a")

    source.copies.delete_copy("a")
    source.copies.delete_copy("never there")

    assert list(tmp_path.iterdir()) == []


def test_a_copy_in_use_stays_also_for_other_processes(tmp_path: Path) -> None:
    source = Source(tmp_path, 4)

    with other_process(tmp_path, "use") as process:
        for name in "ab":
            source.read(name)
        assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [4, 4]
        process.communicate("")
    source.read("c")

    assert source.read("held") == b"heldheldheldheld"
    assert source.downloads == ["a", "b", "c", "held"]


def test_what_a_killed_process_left_makes_room(tmp_path: Path) -> None:
    source = Source(tmp_path, 4)
    with other_process(tmp_path, "download") as process:
        process.kill()
    assert len(list(tmp_path.iterdir())) == 1

    source.read("a")

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"aaaa"]


def test_a_download_that_breaks_off_leaves_no_copy(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path, 100)

    def break_off(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        pytest.raises(OSError, match="No space left"),
        copies.open_copy("a", lambda: 8, break_off),
    ):
        pass

    assert list(tmp_path.iterdir()) == []
