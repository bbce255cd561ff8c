"""Workbooks for tests: saved, unpacked, and packed again with other contents."""

import io
import zipfile

from openpyxl import Workbook


def saved(book: Workbook) -> bytes:
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: bytes, files: dict[str, bytes]) -> bytes:
    """Return the workbook with other contents in some of its files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (unpacked(content) | files).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def replaced(content: bytes, file: str, old: bytes, new: bytes, times: int = -1) -> bytes:
    """Return the workbook with other bytes in the file whose path ends with ``file``."""
    files = unpacked(content)
    (name,) = (name for name in files if name.endswith(file))
    return packed(content, {name: files[name].replace(old, new, times)})
