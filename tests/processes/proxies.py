"""nginx and Caddy as the examples of the documentation start them, on ports of their own."""

import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.processes.portal import ROOT, until
from tests.stack import free_port

EXAMPLES = ROOT / "docs" / "examples"
DEBIAN_NGINX = Path("/etc/nginx/nginx.conf")


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs; ``log`` is what it has written."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self, **options: object) -> httpx.Client:
        """Return a client at another address than that of the proxy itself."""
        transport = httpx.HTTPTransport(local_address="127.0.0.2", verify=False)
        return httpx.Client(
            transport=transport,
            base_url=self.url,
            trust_env=False,
            timeout=60,
            **options,  # type: ignore[arg-type]
        )

    def is_up(self) -> bool:
        try:
            return httpx.get(
                f"{self.url}/readyz", verify=False, trust_env=False, timeout=60
            ).is_success
        except httpx.TransportError:
            return False


@contextmanager
def nginx(folder: Path, portal_url: str) -> Iterator[Proxy]:
    """Start nginx as Debian installs it, with the example below its conf.d."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if program is None or not DEBIAN_NGINX.exists():
        pytest.skip("nginx of Debian is not installed")
    port = free_port()
    _write_certificate(folder)
    server = _changed(
        EXAMPLES / "nginx.conf",
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "server_name batch.example.com": "server_name localhost",
            "/etc/ssl/batch.example.com": str(folder / "localhost"),
            "http://127.0.0.1:8000": portal_url.replace("localhost", "127.0.0.1"),
            "client_header_timeout 30s": "client_header_timeout 10s",
        },
    )
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "batchapp.conf").write_text(server)
    # What only root may use is below the folder of the test.
    lines = [
        line
        for line in DEBIAN_NGINX.read_text().splitlines()
        if not re.match(r"\s*(user|pid|error_log|access_log|include .*sites-enabled)\b", line)
    ]
    text = "\n".join(lines).replace("/etc/nginx/conf.d", str(folder / "conf.d"))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"  {kind}_temp_path {folder / kind};\n" for kind in kinds)
    text = text.replace("http {\n", f"http {{\n  access_log off;\n{paths}", 1)
    head = f"pid {folder / 'pid'};\nerror_log stderr;\ndaemon off;\nmaster_process off;\n"
    (folder / "nginx.conf").write_text(head + text)
    with _running([program, "-c", str(folder / "nginx.conf")], folder, port) as proxy:
        yield proxy


@contextmanager
def caddy(folder: Path, portal_url: str) -> Iterator[Proxy]:
    """Start Caddy with the example; it makes a certificate for localhost by itself."""
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("Caddy is not installed")
    port = free_port()
    options = (
        "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n"
        f"\tdefault_bind 127.0.0.1\n\tstorage file_system {folder}\n"
    )
    text = _changed(
        EXAMPLES / "Caddyfile",
        {
            "\n{\n": f"\n{options}",
            "batch.example.com {": f"localhost:{port} {{",
            "127.0.0.1:8000": portal_url.replace("http://localhost", "127.0.0.1"),
            "read_header 30s": "read_header 10s",  # in which it shakes hands, too
        },
    )
    (folder / "Caddyfile").write_text(text)
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with _running(command, folder, port) as proxy:
        yield proxy


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[Proxy]:
    proxy = Proxy(port, folder / "log")
    with proxy.log.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={"HOME": str(folder)}, stdout=log, stderr=log
        )
    try:
        until(proxy.is_up, "the proxy", proxy.log.read_text, patience=20)
        yield proxy
    finally:
        process.terminate()
        process.wait(60)


def _changed(example: Path, changes: dict[str, str]) -> str:
    """Return an example as a person changes it, who finds each of the places."""
    text = example.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "localhost.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "localhost.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
