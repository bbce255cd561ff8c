"""A real OpenID Connect provider on loopback, for single sign-on in tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.processes.portal import is_up, until
from tests.stack import free_port


@contextmanager
def identity_provider() -> Iterator[str]:
    """Run the provider while the block runs, and yield its address."""
    url = f"http://localhost:{(port := free_port())}"
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        try:
            until(lambda: is_up(f"{url}/.well-known/openid-configuration"), url)
            yield url
        finally:
            running.terminate()


def know(provider: str, subject: str, email: str, *, is_verified: bool = True) -> None:
    """Let the provider know somebody, and whether ``email`` is theirs."""
    claims = {"email": email, "email_verified": is_verified, "given_name": "Ada"}
    httpx.put(
        f"{provider}/users/{subject}", json=claims, trust_env=False, timeout=60
    ).raise_for_status()
