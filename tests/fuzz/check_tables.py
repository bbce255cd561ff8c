"""Read randomly changed tables: no crash, no hang, flat memory, and no text lost.

    python -m tests.fuzz.check_tables --tables 10000 --seed 1

Tables are written by a writer of their own, not by the libraries that read them. A table as it was
written gives exactly its cells. A changed table is refused, or every letter of it comes back.
"""

import argparse
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from batchapp.domain.refused import Refused
from batchapp.domain.tables.read_options import DETECT_ALL, ReadOptions
from batchapp.domain.tables.table_reader import Table, read_table
from batchapp.presenters.refusal_text import refusal_text
from tests.fuzz.check_lines import MAX_GROWTH_MIB, peak_mib, time_limit

MAX_SECONDS_PER_TABLE = 20
CHANGED_SHARE = 0.7  # of the tables
LINE_END = re.compile(r"\r\n|\r|\n")

WORDS = (
    *(
        "Hello",
        "größer",
        "退款",
        "NULL",
        "3,50",
        "a; b",
        "x|y",
        "a\tb",
        "two\nlines",
        "a\r\nb",
        "",
    ),
    *(
        'say "hi"',
        '"',
        '""',
        '5" pipe',
        '"quoted" tail',
        "C:\\dir\\",
        "\\",
        '\\"',
        "{text}",
        " x ",
    ),
    *('{"a": [1, "b"]}', "=SUM(A1)", "-5", "1.23E+11", "é", "😀", "sep=;", "'", "word " * 50),
)
TOKENS = [
    *(b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\\", b'\\"', b"\\,", b"\0"),
    *(b"sep=;\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xe9", b"{", b"[", b"}", b"]", b"<html>", b" "),
    *(b'"' * 99, b"," * 300, b"\n" * 300, b"x" * 70_000, b"9" * 400, b"\xc2\xa0", b"\xe2\x80\xa8"),
]


class Written(NamedTuple):
    """A table as it was meant, and its bytes."""

    header: list[str]
    rows: list[list[str]]
    options: ReadOptions
    data: bytes


def make_table(chance: random.Random) -> Written:
    """Write a random table in a random way that holds its cells exactly."""
    width = chance.randrange(1, 7)
    header = [f"h{n}" for n in range(width)]
    rows = [[_cell(chance) for _ in range(width)] for _ in range(chance.randrange(20))]
    if chance.random() < 0.25:
        return _write_json(chance, header, rows)
    return _write_text(chance, header, rows)


def _cell(chance: random.Random) -> str:
    return "".join(chance.choice(WORDS) for _ in range(chance.choice([0, 1, 1, 1, 2, 3])))


def _write_json(chance: random.Random, header: list[str], rows: list[list[str]]) -> Written:
    objects = [dict(zip(header, row, strict=True)) for row in [["first"] * len(header), *rows]]
    is_ascii = chance.random() < 0.5
    if chance.random() < 0.5:
        indent = chance.choice([None, 2])
        text = json.dumps(objects, ensure_ascii=is_ascii, indent=indent)
    else:
        end = chance.choice(["\n", "\r\n", "\n\n"])
        text = "".join(json.dumps(row, ensure_ascii=is_ascii) + end for row in objects)
    encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16"])
    rows = [["first"] * len(header), *rows]
    return Written(header, rows, ReadOptions(encoding), text.encode(encoding))


def _write_text(chance: random.Random, header: list[str], rows: list[list[str]]) -> Written:
    separator = chance.choice(",;\t|")
    quoting = chance.choice(["double", "double", "backslash", "none"])
    if quoting == "none":
        taken = re.compile(rf"[{re.escape(separator)}\r\n]")
        rows = [[taken.sub("_", cell) for cell in row] for row in rows]
    end = chance.choice(["\n", "\r\n", "\r"])
    quotes_all = chance.random() < 0.3
    titles = chance.choice([0, 0, 0, 1, 2])
    lines = [[f"Title {n}"] for n in range(titles)] + [header, *rows]
    text = end.join(
        separator.join(_written(cell, separator, quoting, quotes_all=quotes_all) for cell in row)
        for row in lines
    )
    encoding = _encoding(chance, text)
    options = ReadOptions(encoding, separator, header_row=titles + 1, quoting=quoting)
    return Written(header, rows, options, (text + chance.choice(["", end])).encode(encoding))


def _encoding(chance: random.Random, text: str) -> str:
    encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "gb18030"])
    return encoding if text.encode(encoding, errors="ignore").decode(encoding) == text else "utf-8"


def _written(cell: str, separator: str, quoting: str, *, quotes_all: bool) -> str:
    needs_quotes = quotes_all or any(sign in cell for sign in f'"\\{separator}\r\n')
    if quoting == "none" or not (needs_quotes or cell == ""):
        return cell
    if quoting == "backslash":
        cell = cell.replace("\\", "\\\\").replace('"', '\\"')
    else:
        cell = cell.replace('"', '""')
    return f'"{cell}"'


def changed(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Return ``data`` after one random change."""
    at, to = sorted(chance.randrange(len(data) + 1) for _ in "ab")
    match chance.randrange(7):
        case 0 if data:  # flip a bit
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:  # cut a piece out
            return data[:at] + data[to:]
        case 2:  # cut the end off
            return data[:at]
        case 3:  # repeat a piece
            return data[:to] + data[at:to] * chance.randrange(1, 4) + data[to:]
        case 4:  # splice
            return data[:at] + other[chance.randrange(len(other) + 1) :]
        case _:
            return data[:at] + chance.choice(TOKENS) + data[to if chance.random() < 0.3 else at :]


def check_table(chance: random.Random) -> str:
    """Check one table, and return what became of it.

    Raises:
        AssertionError: text was lost.
    """
    written = make_table(chance)
    _compare(written)
    if chance.random() > CHANGED_SHARE:
        _, outcome = _read(written.data, DETECT_ALL)
        return f"detected, {outcome}"
    data = written.data
    for _ in range(chance.choice([1, 1, 2, 3])):
        data = changed(chance, data, _other(chance, written))
    options = chance.choice([DETECT_ALL, DETECT_ALL, written.options])
    rows, outcome = _read(data, options)
    assert all(len(row) == len(rows[0]) for row in rows)
    return f"changed, {outcome}"


def _other(chance: random.Random, written: Written) -> bytes:
    """Return the bytes of another table, mostly in the same encoding."""
    other = make_table(chance)
    if chance.random() < 0.2:
        return other.data
    text = other.data.decode(other.options.encoding)
    return text.encode(written.options.encoding, errors="replace")


def _read(data: bytes, options: ReadOptions) -> tuple[list[list[str]], str]:
    """Return the rows, and "read" or the code of the refusal.

    Raises:
        AssertionError: text was lost.
    """
    try:
        table = read_table(io.BytesIO(data), options)
        rows = list(table)
    except Refused as refusal:
        return [], refusal_text(refusal) and refusal.code
    text = data.decode(table.read_as.encoding)
    if table.read_as.separator:
        _compare_letters(text, table, rows)
    else:
        _compare_json(text, rows)
    return rows, "read"


def _compare(written: Written) -> None:
    """Assert that a table as it was written gives exactly its cells."""
    table = read_table(io.BytesIO(written.data), written.options)
    rows = list(table)
    expected = [row for row in written.rows if any(map(str.strip, row))]
    assert table.columns == written.header, (table.columns, written.header)
    assert rows == expected, next(
        (there, here) for there, here in zip(rows, expected, strict=False) if there != here
    )


def _compare_json(text: str, rows: list[list[str]]) -> None:
    """Assert that every text of the objects is a cell, or within a cell."""
    values = []
    decoder = json.JSONDecoder()
    at = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        values += value if isinstance(value, list) else [value]
        at = end + len(text[end:]) - len(text[end:].lstrip(" \t\r\n"))
    cells = Counter(cell for row in rows for cell in row)
    texts = Counter(
        part.replace("\0", "")
        for value in values
        for part in value.values()
        if isinstance(part, str) and any(_texts(value))
    )
    assert not (missing := texts - cells - Counter({"": texts[""]})), missing


def _texts(value: dict[str, Any]) -> list[str]:
    return [str(part).strip() for part in value.values() if part is not None]


def _compare_letters(text: str, table: Table, rows: Sequence[Sequence[str]]) -> None:
    """Assert that every letter and digit below the header is in a cell, no more and no fewer."""
    lines = LINE_END.split(text)
    below = lines[table.read_as.header_row :]
    if '"' in lines[table.read_as.header_row - 1] or lines[table.read_as.header_row - 1].endswith(
        "\\"
    ):
        return  # the header may end in a later line
    there = Counter(sign for sign in "".join(below) if sign.isalnum())
    here = Counter(sign for row in rows for cell in row for sign in cell if sign.isalnum())
    assert there == here, (there - here, here - there)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    outcomes: Counter[str] = Counter()
    warm = 0.0
    for number in range(options.tables):
        name = f"table {number} of seed {options.seed}"
        with time_limit(MAX_SECONDS_PER_TABLE, name):
            try:
                outcomes[check_table(random.Random(f"{options.seed}/{number}"))] += 1
            except Exception as exc:
                raise SystemExit(f"{name}: {exc!r}"[:3000]) from exc
        if number == options.tables // 10:
            warm = peak_mib()
    growth = peak_mib() - warm
    counts = ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common())
    sys.stdout.write(
        f"{options.tables:,} tables, no text lost: {counts}; peak {peak_mib():.0f} MiB, of which "
        f"{growth:.0f} after the first tenth\n"
    )
    if growth > MAX_GROWTH_MIB:
        raise SystemExit("the memory is not flat")


if __name__ == "__main__":
    main()
