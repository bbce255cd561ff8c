"""Sandboxes to test against: a process of its own, or a thread with settings of its own."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchapp.sandbox.network import SandboxServer, listening_socket
from batchapp.sandbox.server import application
from batchapp.sandbox.settings import Settings


@contextmanager
def sandbox_process(
    data: Path, *args: str, speed: float = 50
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run one on a free port; its first line says where."""
    command = [sys.executable, "-m", "batchapp.sandbox", "--port", "0", "--data", str(data)]
    command += ["--speed", str(speed), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[3].rstrip(","), process
        finally:
            process.kill()


@contextmanager
def sandbox_thread(settings: Settings) -> Iterator[str]:
    """Run one in this process, where every setting can be chosen."""
    app = application(settings)
    server = SandboxServer(app, app.network, job=app.deliveries.run, log_level="critical")
    with listening_socket("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    app.store.close()
