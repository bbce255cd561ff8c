"""Guess which row of a table names the columns, where titles may stand above."""

import re
from collections import Counter
from collections.abc import Sequence

HEAD_ROWS = 50  # rows with text among which the header is looked for

Row = tuple[int, Sequence[str]]  # the number of a row, as its file counts, and its cells

NUMBER = re.compile(r"[-+(]?[\d.,:/%\s-]*\d[\d.,:/%\s)-]*")


def guess_header(rows: Sequence[Row]) -> Row | None:
    """Return the header: the first row with text, or the first below titles; None without text.

    A row is a title if it fills less of the width of the table than a header would.
    """
    filled = [row for row in rows if not is_blank(row[1])]
    if not filled:
        return None
    extents = Counter(_extent(cells) for _, cells in filled)
    width = max(extents, key=lambda extent: (extents[extent], extent))
    for index, (number, cells) in enumerate(filled[:-1]):
        if not _is_title(cells, width):
            # Directly above a table of two columns, a lone name may be that of the first column.
            is_lone = index == 1 and width == 2 and filled[0][0] + 1 == number
            is_header = not index or (_can_name(cells, width) and not is_lone)
            return (number, cells) if is_header else filled[0]
    return filled[0]


def is_blank(cells: Sequence[str]) -> bool:
    return not any(cell and not cell.isspace() for cell in cells)


def _extent(cells: Sequence[str]) -> int:
    """Return the number of the last cell with text."""
    return max(number for number, cell in enumerate(cells, 1) if cell.strip())


def _is_title(cells: Sequence[str], width: int) -> bool:
    filled = sum(bool(cell.strip()) for cell in cells)
    return width > 1 and (_extent(cells) * 2 <= width or (filled == 1 and width > 2))


def _can_name(cells: Sequence[str], width: int) -> bool:
    """Return True if a row below titles is sure to be no row of data."""
    names = [cell.strip() for cell in cells[:width]]
    is_full = len(names) == width and all(names) and len({*names}) == width
    return is_full and not any(NUMBER.fullmatch(name) for name in names)
