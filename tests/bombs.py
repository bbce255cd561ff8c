"""Small files that unpack to much, or take long to read: a recipe for each kind.

``make`` writes one of them to a file; none of the recipes needs much memory itself.
"""

import gzip
import io
import random
import zipfile
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import IO

Recipe = Callable[[Path], object]
MIB = 1024 * 1024

TYPES = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
RELATIONS = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    b'<Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
BOOK_RELATIONS = (
    b'<Relationships><Relationship Id="s1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>'
    b'<Relationship Id="t" Type="x/sharedStrings" Target="sharedStrings.xml"/>'
    b'<Relationship Id="y" Type="x/styles" Target="styles.xml"/></Relationships>'
)
BOOK = (
    b'<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="s1"/></sheets></workbook>'
)
HEADER = (
    b'<row r="1"><c t="inlineStr"><is><t>id</t></is></c>'
    b'<c t="inlineStr"><is><t>text</t></is></c></row>'
)
SHEET = "xl/worksheets/sheet1.xml"
TEXTS, STYLES, BOOK_FILE = "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml"

Pieces = Iterable[bytes]


def times(piece: bytes, count: int) -> Pieces:
    """Yield ``piece`` as often as ``count`` says, in larger pieces."""
    block = max(1, MIB // len(piece))
    for start in range(0, count, block):
        yield piece * min(block, count - start)


def workbook(
    path: Path | IO[bytes], files: dict[str, Pieces] | None = None, method: int = 8
) -> None:
    """Write a workbook with two columns and one row, and other contents in some files."""
    sheet: Pieces = [b"<worksheet><sheetData>", HEADER, ROW, b"</sheetData></worksheet>"]
    contents: dict[str, Pieces] = {
        "[Content_Types].xml": [TYPES],
        "_rels/.rels": [RELATIONS],
        "xl/_rels/workbook.xml.rels": [BOOK_RELATIONS],
        BOOK_FILE: [BOOK],
        SHEET: sheet,
    }
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, pieces in (contents | (files or {})).items():
            with archive.open(name, "w", force_zip64=True) as file:
                for piece in pieces:
                    file.write(piece)


ROW = b'<row><c><v>1</v></c><c t="inlineStr"><is><t>x</t></is></c></row>'


def sheet(*inside: Pieces) -> dict[str, Pieces]:
    """Return the file of a sheet whose data is ``inside``."""

    def pieces() -> Pieces:
        yield b"<worksheet><sheetData>" + HEADER
        for each in inside:
            yield from each
        yield b"</sheetData></worksheet>"

    return {SHEET: pieces()}


def texts(*inside: Pieces) -> dict[str, Pieces]:
    def pieces() -> Pieces:
        yield b"<sst>"
        for each in inside:
            yield from each
        yield b"</sst>"

    return {TEXTS: pieces()}


def book(*inside: Pieces, end: bytes = b"") -> dict[str, Pieces]:
    def pieces() -> Pieces:
        yield b'<workbook xmlns:r="r"><sheets>'
        for each in inside:
            yield from each
        yield end + b"</sheets></workbook>"

    return {BOOK_FILE: pieces()}


def numbered_sheets(count: int) -> Pieces:
    for number in range(count):
        yield b'<sheet name="%06d" sheetId="1" r:id="s1"/>' % number


def entities(kind: str) -> bytes:
    """Return a document type whose entities grow: each in the next one, or one many times."""
    if kind == "quadratic":
        return b'<!DOCTYPE x [<!ENTITY a "%s">]>' % (b"a" * 100_000)
    names = "abcdefghij"
    lines = ['<!ENTITY a "ha ha ha ">']
    lines += [f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in pairwise(names)]
    return f"<!DOCTYPE x [{''.join(lines)}]>".encode()


def with_entities(kind: str, content: bytes) -> dict[str, Pieces]:
    cell = b'<row><c t="inlineStr"><is><t>%s</t></is></c></row>' % content
    parts = [entities(kind), b"<worksheet><sheetData>", HEADER, cell, b"</sheetData></worksheet>"]
    return {SHEET: parts}


def nested_archive(path: Path, depth: int = 6) -> None:
    content = b"\0" * MIB
    for _ in range(depth):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", content)
        content = buffer.getvalue()
    path.write_bytes(content)


def overlapping_archive(path: Path) -> None:
    """Write an archive whose directory lists one file thousands of times."""
    workbook(path, sheet(times(ROW, 1000)))
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    directory = content[start:-22]
    many = 2_000
    end = bytearray(content[-22:])
    entries = (int.from_bytes(end[8:10], "little")) * many
    end[8:10] = end[10:12] = min(entries, 65_534).to_bytes(2, "little")
    end[12:16] = (len(directory) * many).to_bytes(4, "little")
    path.write_bytes(content[:start] + directory * many + bytes(end))


def written(path: Path, pieces: Pieces) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def gzipped(path: Path, pieces: Pieces) -> None:
    with gzip.open(path, "wb", 9) as file:
        for piece in pieces:
            file.write(piece)


def random_texts(count: int) -> Pieces:
    source = random.Random(5)  # no secret
    for _ in range(count):
        yield b"<si><t>%x</t></si>" % source.getrandbits(64)


CELL = b'<c t="inlineStr"><is><t>%s</t></is></c>'
FAR_ROW = b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>'

# Name -> a recipe. Each table is refused, or read within the limits.
TABLES: dict[str, Recipe] = {
    "a sheet of cells that hold nothing": lambda path: workbook(
        path, sheet([b"<row>"], times(b"<c/>", 30_000_000), [b"</row>"])
    ),
    "a sheet of rows that hold nothing": lambda path: workbook(
        path, sheet(times(b"<row/>", 8_000_000))
    ),
    "a sheet beyond the limit": lambda path: workbook(path, sheet(times(b" ", 300 * MIB))),
    "a sheet of far cells": lambda path: workbook(
        path, sheet(FAR_ROW % (number, number) for number in range(2, 1_048_577, 21))
    ),
    "a sheet that claims more rows than there are numbers": lambda path: workbook(
        path, sheet([FAR_ROW % (n, n) for n in (10**9, 10**12, 10**30)])
    ),
    "a dimension of all cells": lambda path: workbook(
        path,
        {
            SHEET: [
                b'<worksheet><dimension ref="A1:XFD1048576"/><sheetData>',
                HEADER,
                ROW,
                b"</sheetData></worksheet>",
            ]
        },
    ),
    "a cell of fifty million characters": lambda path: workbook(
        path,
        sheet(
            [b'<row><c t="inlineStr"><is><t>'], times(b"x", 100 * MIB), [b"</t></is></c></row>"]
        ),
    ),
    "a number of fifty million digits": lambda path: workbook(
        path, sheet([b"<row><c><v>"], times(b"9", 50 * MIB), [b"</v></c></row>"])
    ),
    "an attribute of fifty million characters": lambda path: workbook(
        path, sheet([b'<row x="'], times(b"x", 50 * MIB), [b'"/>'])
    ),
    "a name of fifty million characters": lambda path: workbook(
        path, sheet([b"<"], times(b"x", 50 * MIB), [b"/>"])
    ),
    "an element with a million attributes": lambda path: workbook(
        path, sheet([b"<row"], (b' a%d=""' % n for n in range(1_000_000)), [b"/>"])
    ),
    "elements ten million deep": lambda path: workbook(path, sheet(times(b"<a>", 10_000_000))),
    "one long text in every cell": lambda path: workbook(
        path,
        texts([b"<si><t>"], times(b"x", 900_000), [b"</t></si>"])
        | sheet(times(b'<row><c t="s"><v>0</v></c></row>', 200_000)),
    ),
    "many millions of short texts": lambda path: workbook(
        path, texts(times(b"<si><t>x</t></si>", 7_000_000))
    ),
    "texts of pieces without end": lambda path: workbook(
        path, texts([b"<si>"], times(b"<r><t>x</t></r>", 8_000_000), [b"</si>"])
    ),
    "different texts beyond the memory": lambda path: workbook(
        path, texts(random_texts(4_000_000))
    ),
    "texts beyond the limit": lambda path: workbook(path, texts(times(b" ", 200 * MIB))),
    "a million styles": lambda path: workbook(
        path,
        {
            STYLES: [
                b"<styleSheet><cellXfs>",
                *times(b"<xf/>", 1_000_000),
                b"</cellXfs></styleSheet>",
            ]
        },
    ),
    "half a million number formats": lambda path: workbook(
        path,
        {
            STYLES: [
                b"<styleSheet><numFmts>",
                *(b'<numFmt numFmtId="%d" formatCode="0"/>' % n for n in range(300_000)),
                b"</numFmts></styleSheet>",
            ]
        },
    ),
    "a million merged ranges": lambda path: workbook(
        path,
        {
            SHEET: [
                b"<worksheet><sheetData>",
                HEADER,
                ROW,
                b"</sheetData><mergeCells>",
                *times(b'<mergeCell ref="A1:B2"/>', 1_000_000),
                b"</mergeCells></worksheet>",
            ]
        },
    ),
    "two hundred thousand sheets": lambda path: workbook(path, book(numbered_sheets(200_000))),
    "a sheet with a name of ten million characters": lambda path: workbook(
        path, book([b'<sheet r:id="s1" name="'], times(b"n", 10 * MIB), [b'"/>'])
    ),
    "entities in entities": lambda path: workbook(path, with_entities("nested", b"&j;")),
    "an entity repeated": lambda path: workbook(
        path, with_entities("quadratic", b"&a;" * 100_000)
    ),
    "an archive in archives": nested_archive,
    "an archive that lists a file thousands of times": overlapping_archive,
    "a workbook packed otherwise": lambda path: workbook(
        path, sheet(times(b" ", 100 * MIB)), zipfile.ZIP_LZMA
    ),
    "a text with one cell of ninety million characters": lambda path: written(
        path, [b"id,text\n1,", *times(b"x", 90 * MIB)]
    ),
    "a text of ten million blank lines": lambda path: written(
        path, [b"id,text\n", *times(b"\n", 10_000_000), b"1,x\n"]
    ),
    "a text with a million columns": lambda path: written(
        path, [times_joined(b"c%d", 1_000_000), b"\n"]
    ),
    "a text of quotation marks": lambda path: written(
        path, [b"id,text\n", *times(b'"', 50 * MIB)]
    ),
    "a text of short rows with a million cells": lambda path: written(
        path, [b"id,text\n", *times(b"," * 1_000_000 + b"\n", 50)]
    ),
}


def times_joined(piece: bytes, count: int) -> bytes:
    return b",".join(piece % number for number in range(count))


LINE = b'{"custom_id": "%d", "method": "POST", "url": "/v1/chat/completions", "body": '

# Files of requests: the check reads them within its own limits.
REQUESTS: dict[str, Recipe] = {
    "gzip of zeros": lambda path: gzipped(path, times(b"\0", 512 * MIB)),
    "gzip of one endless line": lambda path: gzipped(path, times(b"x", 512 * MIB)),
    "gzip of blank lines": lambda path: gzipped(path, times(b"\n", 40 * MIB)),
    "gzip in gzip": lambda path: path.write_bytes(gzip.compress(gzip.compress(b"\0" * 200 * MIB))),
    "many gzip members": lambda path: path.write_bytes(gzip.compress(b"\0" * 100_000) * 5_000),
    "lists ten million deep": lambda path: written(path, [LINE % 1, *times(b"[", 10_000_000)]),
    "objects a million deep": lambda path: written(
        path, [LINE % 1, *times(b'{"a":', 1_000_000), b"1", *times(b"}", 1_000_000), b"}\n"]
    ),
    "a list of thirty million numbers": lambda path: written(
        path, [LINE % 1, b'{"model": "m", "x": [1', *times(b",1", 30_000_000), b"]}}\n"]
    ),
    "a number of ten million digits": lambda path: written(
        path, [LINE % 1, b'{"model": "m", "x": ', *times(b"9", 10 * MIB), b"}}\n"]
    ),
    "ten million blank lines": lambda path: written(path, times(b"\n", 10_000_000)),
}
