"""A migrated database and static files, as a new portal has them, made once and then copied.

Both stay in the cache of pytest until a file changes that they are made of.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import django

from tests.variables import ROOT

CACHE = ROOT / ".pytest_cache"
DATABASE_SOURCES = ("batchapp/migrations", "batchapp/models", "batchapp/data", "config")
STATIC_SOURCES = ("batchapp/static", "config")
SERVICES = ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "STORAGE_URL")
DAY = 24 * 3600  # seconds


@cache
def migrated_database() -> Path:
    """Return the file of a migrated SQLite database; copy it before you open it."""
    return _made("database", DATABASE_SOURCES, "migrate") / "portal.sqlite3"


@cache
def static_files() -> Path:
    """Return the folder of the collected static files."""
    return _made("static", STATIC_SOURCES, "collectstatic", "--noinput") / "static"


def fingerprint(sources: tuple[str, ...]) -> str:
    """Return a name for the content of all files in the folders ``sources``."""
    paths = [path for source in sources for path in sorted((ROOT / source).rglob("*"))]
    digest = hashlib.sha256(f"{sys.version} {django.__version__}".encode())
    for path in [*paths, ROOT / "requirements/base.txt"]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def locked() -> Iterator[None]:
    """Let one process at a time make what the others then copy."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def delete_old(kind: str) -> None:
    """Delete the folders of a kind that no run can still copy from."""
    for old in CACHE.glob(f"{kind}-*"):
        if old.stat().st_mtime < time.time() - DAY:
            shutil.rmtree(old)


def manage(env: dict[str, str], *args: str) -> None:
    """Run a management command in ``env``; a failure raises."""
    command = [sys.executable, "manage.py", *args, "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=env, check=True)


def _made(kind: str, sources: tuple[str, ...], *command: str) -> Path:
    """Return the data folder that ``command`` leaves behind, from the cache if it is there."""
    folder = CACHE / f"{kind}-{fingerprint(sources)}"
    with locked():
        if not folder.exists():
            delete_old(kind)
            new = Path(tempfile.mkdtemp(prefix="making-", dir=CACHE))
            env = {name: value for name, value in os.environ.items() if name not in SERVICES}
            manage(env | {"DATA_DIR": str(new)}, *command)
            new.rename(folder)
    return folder
