"""Sandboxes for tests: in a process, or in a thread of the test process."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batchapp.sandbox.application import make_application
from batchapp.sandbox.server import SandboxServer, open_listener
from batchapp.sandbox.settings import Settings


@contextmanager
def sandbox_process(
    data: Path, *args: str, speed: float = 50
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a sandbox process on a free port; yield its URL and the process."""
    command = [sys.executable, "-m", "batchapp.sandbox", "--port", "0", "--data", str(data)]
    command += ["--speed", str(speed), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[3].rstrip(","), process
        finally:
            process.kill()


@contextmanager
def sandbox_thread(settings: Settings, clock: Callable[[], float] = time.time) -> Iterator[str]:
    """Run a sandbox with ``settings`` in a thread; yield its URL.

    With a clock of its own, which stands still, a test decides when a batch ends, whatever the
    speed of the machine.
    """
    app = make_application(settings, clock)
    server = SandboxServer(
        app,
        app.server_control,
        background_job=app.deliveries.run,
        log_level="critical",
    )
    with open_listener("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    app.store.close()
