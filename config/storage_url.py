"""Read STORAGE_URL, which says where the bytes of files, tables and results are stored."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SCHEMES = ["filesystem", "s3", "s3+http"]
FORM = "s3://KEY:SECRET@host:port/bucket?region=NAME"
OPTIONS = {"region", "addressing", "checksums", "copies_mib"}
COPIES_MIB = 2048  # of local copies, which code that needs a file of the system makes


def storage_backend(url: str, *, copies_dir: Path) -> dict[str, Any]:
    """Return the entry of Django's STORAGES for ``url``, whose scheme is one of ``SCHEMES``.

    ``s3`` speaks https, and ``s3+http`` plain http. Without a host it is AWS in ``region``.
    Without a key the variables and files of AWS tools are read, as their library does.

    Raises:
        ImproperlyConfigured: says what is wrong, and repeats no secret.
    """
    try:
        parts = urlsplit(url)
    except ValueError as exc:  # such as [ without ]
        raise _wrong("it is not a URL") from exc
    if parts.scheme == "filesystem":
        return {"BACKEND": "batchapp.storage.disk.DiskStorage"}
    endpoint = _endpoint(parts)
    bucket, _, prefix = parts.path.removeprefix("/").partition("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", bucket):
        raise _wrong(f"the bucket is missing or no name of a bucket: it has to be {FORM}")
    query = _query(parts)
    if not endpoint and "region" not in query:
        raise _wrong("without a host it is AWS, which needs ?region=, such as eu-central-1")
    options = {
        "bucket_name": bucket,
        "location": prefix.strip("/"),
        "endpoint_url": endpoint,
        "region_name": query.get("region", "us-east-1"),
        "addressing_style": query.get("addressing", "path" if endpoint else "virtual"),
        "use_checksums": query.get("checksums", "yes") == "yes",
        "copies_dir": str(copies_dir),
        "copies_bytes": int(query.get("copies_mib", COPIES_MIB)) * 1024 * 1024,
    }
    return {
        "BACKEND": "batchapp.storage.object_storage.ObjectStorage",
        "OPTIONS": options | _credentials(parts),
    }


def _endpoint(parts: SplitResult) -> str | None:
    try:
        port = parts.port
    except ValueError as exc:
        # A slash in the secret ends the host early.
        reason = "the port is no number; a / or @ in the secret is written %2F or %40"
        raise _wrong(reason) from exc
    if not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = "http" if parts.scheme == "s3+http" else "https"
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def _credentials(parts: SplitResult) -> dict[str, str | None]:
    if not parts.username and not parts.password:
        return {}
    if not parts.username or not parts.password:
        raise _wrong(f"a key needs its secret: it has to be {FORM}")
    # A token from the environment would belong to another key.
    return {
        "access_key": unquote(parts.username),
        "secret_key": unquote(parts.password),
        "security_token": None,
    }


def _query(parts: SplitResult) -> dict[str, str]:
    try:
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError as exc:
        raise _wrong("what follows the ? has to be name=value, joined by &") from exc
    if unknown := set(query) - OPTIONS:
        names = ", ".join(sorted(OPTIONS))
        raise _wrong(f"{min(unknown)!r} is not an option; there are {names}")
    if query.get("addressing", "path") not in {"path", "virtual"}:
        raise _wrong("addressing is path or virtual")
    if query.get("checksums", "yes") not in {"yes", "no"}:
        raise _wrong("checksums is yes or no")
    copies_mib = query.get("copies_mib", "1")
    if not (copies_mib.isascii() and copies_mib.isdecimal()):
        raise _wrong("copies_mib is a whole number")
    return query


def _wrong(reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"STORAGE_URL: {reason}")
