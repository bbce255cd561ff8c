"""Each notice of a table has one sentence, which says the number and the next step."""

import pytest

from batchapp.domain.tables.notices import NoticeCode
from batchapp.presenters.table_notices import SENTENCES, notice_texts


def test_every_code_has_a_sentence() -> None:
    assert set(SENTENCES) == set(NoticeCode)


@pytest.mark.parametrize(
    ("code", "data", "says"),
    [
        ("hidden_rows_sent", {"rows": 1}, "1 hidden row is sent, too. To leave them out, "),
        ("hidden_rows_sent", {"rows": 1_200}, "1,200 hidden rows are sent, too. "),
        ("hidden_rows_left_out", {"rows": 2}, "2 hidden rows are left out."),
        ("hidden_columns_sent", {"columns": 1}, "The sheet hides 1 column. "),
        (
            "merged_cells",
            {"merged": 5, "ranges": ["A2:A4", "B2:B3", "C1:D1"]},
            "The sheet merges cells: A2:A4, B2:B3, C1:D1 and 2 more. ",
        ),
        ("merged_cells", {"merged": 1, "ranges": ["A2:A4"]}, "The sheet merges cells: A2:A4. "),
        ("unlike_shown", {"cells": 3}, "3 cells may look different in your sheet, "),
        ("a code of another version", {}, "This version of the portal cannot explain"),
    ],
)
def test_a_notice_says_what_it_is_about(code: str, data: dict[str, object], says: str) -> None:
    (text,) = notice_texts([[code, data]])

    assert text.startswith(says)
