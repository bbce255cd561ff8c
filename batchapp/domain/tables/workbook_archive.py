"""Open the archive of an .xlsx workbook: its sheets, its texts and its number formats.

Every file in the archive is parsed as a stream. Elements are known by their local names, because
programs that write workbooks use two sets of namespaces and any prefix.
"""

import posixpath
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, NamedTuple
from xml.parsers import expat

from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables.number_formats import NumberFormat, number_format

MIB = 1024 * 1024
CHUNK_BYTES = 64 * 1024

MAX_SHEET_BYTES = 256 * MIB  # of one sheet, unpacked; rows are not kept in memory
MAX_TEXT_BYTES = 128 * MIB  # of the texts of all cells, unpacked; they are kept in memory
MAX_FILE_BYTES = 16 * MIB  # of any other file that is read, unpacked
MAX_FILES = 10_000  # in the archive
MAX_SHEETS = 1_000  # a page lists them
NAME_LENGTH = 100  # characters of a sheet's name; a sheet allows 31
MAX_STYLES = 65_490  # more than any sheet can have
MAX_TEXT_LENGTH = 1_000_000  # characters of one cell; a sheet allows 32,767
DAYS_FROM_1900_TO_1904 = 1462
# Elements that are open at once, as far as the signs of a chunk tell; a workbook has about ten.
MAX_DEPTH = 100_000

# Errors by which zipfile refuses bytes that are no archive, or none that it can read.
NO_ARCHIVE = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError)

Attributes = dict[str, str]


class SheetEntry(NamedTuple):
    """A sheet as the workbook lists it; ``path`` is its file in the archive."""

    name: str
    path: str
    is_visible: bool


class WorkbookArchive:
    """An opened workbook.

    Raises:
        Refused: the archive is no workbook, or one of its files is too large.
    """

    def __init__(self, source: BinaryIO) -> None:
        try:
            self._archive = zipfile.ZipFile(source)
            self._files = {file.filename: file for file in self._archive.infolist()}
        except (*NO_ARCHIVE, OSError) as exc:
            raise Refused(Refusal.TABLE_IS_ARCHIVE) from exc
        if len(self._files) > MAX_FILES:
            raise Refused(Refusal.TABLE_IS_ARCHIVE)
        book = self._related("", "officeDocument").get("officeDocument", ["xl/workbook.xml"])[0]
        if book.endswith(".bin"):
            raise Refused(Refusal.TABLE_IS_OLD_EXCEL)
        if book not in self._files:
            raise Refused(Refusal.TABLE_IS_ARCHIVE)
        self._book = book
        self._counts_from_1904 = False
        self.sheets = self._read_sheets()

    @contextmanager
    def open(self, path: str, limit: int = MAX_FILE_BYTES) -> Iterator[IO[bytes]]:
        """Open a file of the archive; no more bytes are unpacked than the archive announces."""
        file = self._files.get(path)
        if file is None:
            raise Refused(Refusal.TABLE_IS_ARCHIVE)
        if file.file_size > limit:
            raise Refused(Refusal.WORKBOOK_FILE_TOO_LARGE, file=path[:80], bytes=file.file_size)
        if file.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Refused(Refusal.TABLE_IS_ARCHIVE)
        with self._archive.open(file) as content:
            yield content

    def texts(self) -> list[str]:
        """Return the texts that cells refer to by number."""
        path = next(iter(self._related(self._book, "sharedStrings").get("sharedStrings", [])), "")
        if path not in self._files:
            return []
        texts: list[str] = []
        collector = TextCollector()

        def start(name: str, _: Attributes) -> None:
            collector.start(name)

        def end(name: str) -> None:
            if name == "si":
                texts.append(collector.take())
            else:
                collector.end(name)

        with self.open(path, MAX_TEXT_BYTES) as content:
            for _ in parse_xml(content, start, end, collector.add):
                pass
        return texts

    def formats(self) -> list[NumberFormat]:
        """Return the format of each style, by the number that cells have."""
        path = next(iter(self._related(self._book, "styles").get("styles", [])), "")
        if path not in self._files:
            return []
        codes: dict[int, str] = {}
        numbers: list[int] = []
        parents: list[str] = []

        def start(name: str, attributes: Attributes) -> None:
            if name == "numFmt":
                codes[_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
            elif name == "xf" and parents[-1:] == ["cellXfs"]:
                numbers.append(_number(attributes.get("numFmtId")))
                if len(numbers) > MAX_STYLES:
                    raise Refused(Refusal.TABLE_IS_ARCHIVE)
            parents.append(name)

        def end(_: str) -> None:
            parents.pop()

        with self.open(path) as content:
            for _ in parse_xml(content, start, end):
                pass
        first_day = DAYS_FROM_1900_TO_1904 if self._counts_from_1904 else 0
        return [number_format(number, codes.get(number, ""), first_day) for number in numbers]

    def _read_sheets(self) -> list[SheetEntry]:
        paths = self._paths(self._book)
        sheets: list[SheetEntry] = []

        def start(element: str, attributes: Attributes) -> None:
            if element == "sheet":
                rid = next((v for k, v in attributes.items() if k.endswith(":id")), "")
                path = paths.get(rid, "")
                if "/chartsheets/" in path or "/dialogsheets/" in path or "/macrosheets/" in path:
                    return
                is_visible = attributes.get("state", "visible") == "visible"
                name = presentable(attributes.get("name", "")[:NAME_LENGTH], NAME_LENGTH)
                sheets.append(SheetEntry(name, path, is_visible))
                if len(sheets) > MAX_SHEETS:
                    raise Refused(Refusal.WORKBOOK_SHEETS_TOO_MANY, limit=MAX_SHEETS)
            elif element == "workbookPr":
                self._counts_from_1904 = attributes.get("date1904") in {"1", "true"}

        with self.open(self._book) as content:
            for _ in parse_xml(content, start):
                pass
        return sheets

    def _related(self, path: str, *kinds: str) -> dict[str, list[str]]:
        """Return kind -> paths of the files that ``path`` refers to."""
        related: dict[str, list[str]] = {}
        for kind, target in self._relationships(path):
            name = kind.rpartition("/")[2]
            if name in kinds:
                related.setdefault(name, []).append(target[1])
        return related

    def _paths(self, path: str) -> dict[str, str]:
        return {target[0]: target[1] for _, target in self._relationships(path)}

    def _relationships(self, path: str) -> list[tuple[str, tuple[str, str]]]:
        """Return the kind of each relation of ``path``, with its id and the path of its file."""
        folder, name = posixpath.split(path)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        found: list[tuple[str, tuple[str, str]]] = []
        if relations not in self._files:
            return found

        def start(name: str, attributes: Attributes) -> None:
            if name == "Relationship":
                target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
                found.append((attributes["Type"], (attributes["Id"], target.lstrip("/"))))

        with self.open(relations) as content:
            for _ in parse_xml(content, start):
                pass
        return found


def unpacked_size(source: BinaryIO) -> int:
    """Return the bytes of all files in a workbook, unpacked; ``sys.maxsize`` if it is none.

    ``source`` is at its beginning afterwards.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            return sum(file.file_size for file in archive.infolist())
    except NO_ARCHIVE:
        return sys.maxsize
    finally:
        source.seek(0)


class TextCollector:
    """Collects the text of one cell: all its pieces, without the readings above characters."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._is_text = False
        self._in_reading = False

    def start(self, name: str) -> None:
        if name == "t":
            self._is_text = not self._in_reading
        elif name == "rPh":
            self._in_reading = True

    def end(self, name: str) -> None:
        if name == "t":
            self._is_text = False
        elif name == "rPh":
            self._in_reading = False

    def add(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)
            self._length += len(text)
            if self._length > MAX_TEXT_LENGTH:
                raise Refused(Refusal.WORKBOOK_CELL_TOO_LONG, limit=MAX_TEXT_LENGTH)

    def take(self) -> str:
        """Return the text and begin the next one."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return text


def parse_xml(
    content: IO[bytes],
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Parse ``content`` and call the functions with local names; yield after each chunk.

    Elements with another prefix than the outermost one belong to extensions; they keep it.

    Raises:
        Refused: a document type is declared, which no workbook needs and entities could abuse, or
            elements lie deeper in each other than in any workbook, which takes memory and time.
    """

    def start_outermost(name: str, attributes: Attributes) -> None:
        prefix = name.rpartition(":")[0] + ":"
        if prefix == ":":
            parser.StartElementHandler, parser.EndElementHandler = start, end
        else:
            parser.StartElementHandler = lambda name, attributes: start(
                name.removeprefix(prefix), attributes
            )
            parser.EndElementHandler = end and (lambda name: end(name.removeprefix(prefix)))
        start(name.removeprefix(prefix), attributes)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start_outermost
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    depth = 0
    try:
        while chunk := content.read(CHUNK_BYTES):
            depth += chunk.count(b"<") - 2 * chunk.count(b"</") - chunk.count(b"/>")
            if depth > MAX_DEPTH:
                raise Refused(Refusal.TABLE_IS_ARCHIVE)
            parser.Parse(chunk, False)  # noqa: FBT003  # takes no keyword
            yield
        parser.Parse(b"", True)  # noqa: FBT003
    except expat.ExpatError as exc:
        if exc.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
            raise MemoryError from exc
        raise
    yield


def _refuse_doctype(*_: object) -> None:
    raise Refused(Refusal.TABLE_IS_ARCHIVE)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0
