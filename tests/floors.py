"""A plugin of pytest that fails a run whose tests executed too little of a package.

pytest -p tests.floors      alone or with pytest-xdist; other processes are not measured

SlipCover rewrites the measured modules as they are imported, which costs 4 % of the run.
coverage.py, which before Python 3.12 traces every line of every module, cost 75 %.
"""

from collections import defaultdict
from fnmatch import fnmatch
from typing import Any

import pytest
from slipcover import FileMatcher, ImportManager, Slipcover

# Pattern of files -> the least per cent of their lines; a pattern without any file fails, too.
FLOORS = {
    "batchapp/domain/*": 95,
    "batchapp/providers/*": 95,
    "batchapp/outbound/*": 95,
    "batchapp/services/*": 95,
    "batchapp/pipeline/*": 95,
    "batchapp/tasks.py": 95,
    "batchapp/models/*": 95,
    "batchapp/presenters/*": 95,
    "batchapp/views/*": 90,
    "batchapp/forms/*": 95,
}

SOURCE = ["batchapp"]

_measured = Slipcover(source=SOURCE)
_executed: defaultdict[str, set[int]] = defaultdict(set)
_lines: defaultdict[str, set[int]] = defaultdict(set)
_shares: dict[str, float] = {}

# The plugin is loaded before conftest.py, which imports the first module of the portal.
ImportManager(_measured, FileMatcher(sources=SOURCE, omit=["*/migrations/*"])).__enter__()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker of pytest-xdist has executed."""
    _add(getattr(node, "workeroutput", {}).get("floors", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    files = {
        file: [found["executed_lines"], found["missing_lines"]]
        for file, found in _measured.get_coverage()["files"].items()
    }
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["floors"] = files
        return
    _add(files)
    _shares.update({pattern: _share(pattern) for pattern in FLOORS})
    if not exitstatus and any(_shares[pattern] < floor for pattern, floor in FLOORS.items()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("lines executed")
    for pattern, floor in FLOORS.items():
        share = _shares.get(pattern, 0.0)
        verdict = "" if share >= floor else "  TOO FEW"
        terminalreporter.write_line(f"{pattern:24}{share:6.1f} % of {floor} %{verdict}")


def _add(files: dict[str, list[list[int]]]) -> None:
    for file, (executed, missing) in files.items():
        _executed[file].update(executed)
        _lines[file].update(executed, missing)


def _share(pattern: str) -> float:
    """Return the per cent of lines that were executed, 0 if no file fits ``pattern``."""
    files = [file for file in _lines if fnmatch(file, pattern)]
    lines = sum(len(_lines[file]) for file in files)
    return 100 * sum(len(_executed[file]) for file in files) / lines if lines else 0.0
