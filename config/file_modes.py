"""Keep what the portal stores from the other users of the host."""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

OF_OTHERS = 0o077  # the rights of the group and of everybody else


def make_private(folder: Path) -> None:
    """Make ``folder``, and let only our user reach what is in it and what this process creates.

    Whatever is open to others is closed, also where a folder was made by another program or an
    earlier version. Nothing below a folder that was closed already is looked at.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Covers what other code creates: SQLite's -wal and -shm, logs, exports, static files.
    os.umask(OF_OTHERS)
    mode = folder.stat().st_mode
    is_shared = bool(mode & stat.S_ISVTX)
    if is_shared:  # such as /tmp: without it other programs could not work
        logger.warning("%s is shared with other users; its own name is not protected.", folder)
    elif not _close(folder, mode):
        logger.warning("Other users may be able to read %s, which is not ours to close.", folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            # Root could close also what other programs keep in a shared folder.
            if not is_shared or entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                _close_all(entry)


def _close_all(entry: os.DirEntry[str]) -> None:
    # A file may vanish meanwhile, and a disk may be mounted here that is another user's.
    with suppress(OSError):
        mode = entry.stat(follow_symlinks=False).st_mode
        if entry.is_symlink() or not mode & OF_OTHERS:
            return
        if stat.S_ISDIR(mode):
            with os.scandir(entry) as entries:
                for below in entries:
                    _close_all(below)
        _close(Path(entry), mode)


def _close(path: Path, mode: int) -> bool:
    """Take away the rights of others; False if only another user can."""
    if mode & OF_OTHERS:
        try:
            path.chmod(stat.S_IMODE(mode) & ~OF_OTHERS)
        except OSError:
            return False
    return True
