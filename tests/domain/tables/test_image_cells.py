"""A cell may hold several images; what no provider can open is an error of the row."""

import pytest

from batchapp.domain.tables.image_cells import read_addresses
from batchapp.domain.tables.prompts import PromptError

A, B = "https://example.com/a.png?x=1;2,3|4", "http://example.com/b.png"
DATA = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize("between", [";", "; ", "|", ",", ", ", " ", "\n", "\r\n", ";\n", " | "])
@pytest.mark.parametrize("addresses", [[A], [A, B], [B, A, DATA], [DATA, DATA]])
def test_several_addresses_are_told_apart(between: str, addresses: list[str]) -> None:
    assert read_addresses(between.join(addresses), "image") == addresses
    assert read_addresses(f" {between.join(addresses)};", "image") == addresses


def test_a_list_of_json_is_a_list_of_addresses() -> None:
    assert read_addresses(f'["{A}", "{B}"]', "image") == [A, B]


@pytest.mark.parametrize("cell", ["", "  ", ";", "[]"])
def test_a_cell_without_an_address_sends_no_image(cell: str) -> None:
    assert read_addresses(cell, "image") == []


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("C:\\pics\\a.png", "name of a file"),
        ("c:/pics/a.png", "name of a file"),
        ("/home/ana/a.png", "name of a file"),
        ("~/a.png", "name of a file"),
        ("../a.png", "name of a file"),
        ("\\\\server\\a.png", "name of a file"),
        ("file:///home/ana/a.png", "name of a file"),
        ("a.png", "name of a file"),
        (f"{A};C:\\pics\\b.png", "“C:.pics.b.png” is the name of a file"),
        ("https://example.com/my photo.png", "has a blank within"),
        ("s3://bucket/a.png", "no address that a provider opens"),
        ("ftp://example.com/a.png", "no address that a provider opens"),
        ("data:text/html;base64,AAAA", "no data URL of an image"),
        ("data:image/png;base64,", "no data URL of an image"),
        ("[1, 2]", "name of a file"),
    ],
)
def test_what_no_provider_can_open_is_named_with_its_column(cell: str, says: str) -> None:
    with pytest.raises(PromptError, match=f"Column photo: .*{says}"):
        read_addresses(cell, "photo")
