"""Environments with unmodified clients of the API, made once below var/ from their packages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.portal import ROOT

ENVIRONMENTS = ROOT / "var" / "clients"
CACHE = ENVIRONMENTS / "cache"  # of downloads; not below HOME, which may be missing or read-only
PATIENCE = 240  # seconds for an installation
BRIEF = ("--fetch-retry-mintimeout", "1000", "--fetch-retry-maxtimeout", "5000")  # milliseconds


def python_with(package: str) -> Path:
    """Return a Python that has ``package``; skip the test if it cannot be installed here."""
    folder = ENVIRONMENTS / package.replace("==", "-")
    python = folder / "bin" / "python"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which makes the environments of clients, is not installed")
    if not (folder / "installed").exists():
        uv_quietly = (uv, "--quiet", "--cache-dir", str(CACHE / "uv"))
        _install(*uv_quietly, "venv", "--clear", "--python", sys.executable, str(folder))
        _install(*uv_quietly, "pip", "install", "--python", str(python), package)
        (folder / "installed").touch()
    return python


def node_with(package: str) -> Path:
    """Return a folder whose scripts may import ``package``; skip the test if there is none."""
    npm, folder = shutil.which("npm"), ENVIRONMENTS / "node"
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm_quietly = (npm, "install", "--loglevel", "error", "--no-fund", "--no-audit", *BRIEF)
        _install(*npm_quietly, "--cache", str(CACHE / "npm"), package, folder=folder)
        (folder / "installed").touch()
    return folder


def _install(*command: str, folder: Path = ROOT) -> None:
    try:
        subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=PATIENCE
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        pytest.skip(f"a client cannot be installed here: {str(exc.stderr or exc)[-300:]}")
