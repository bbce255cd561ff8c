"""The findings of a check as rows that open, and what a file costs in words."""

from batchapp.domain.request_files import check_file
from batchapp.presenters.file_report import FindingGroup, finding_groups
from tests.domain.request_lines import LIMITS
from tests.make import request_line

DASH = "\u2013"


def groups_of(*lines: str) -> dict[str, FindingGroup]:
    report = check_file.check(["\n".join(lines).encode()], LIMITS)
    return {group.code: group for group in finding_groups(report)}


def test_a_finding_of_few_lines_has_all_its_places() -> None:
    group = groups_of(request_line(1), "x", "x")["invalid_json"]

    assert group.extent == "2 lines"
    assert [place.finding.line for place in group.places] == [2, 3]
    assert group.further == ""


def test_further_places_are_said_by_their_numbers() -> None:
    lines = ["x"] * 10 + [request_line(1)] + ["x"] * 2 + [request_line(2), "x"]

    group = groups_of(*lines)["invalid_json"]

    assert [place.finding.line for place in group.places] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert group.further == f"And 5 more: 9{DASH}10, 12{DASH}13, 15"


def test_a_hundred_thousand_places_are_a_few_words() -> None:
    group = groups_of(request_line(1), *["x"] * 100_000)["invalid_json"]

    assert (group.extent, len(group.places)) == ("100,000 lines", 8)
    assert group.further == f"And 99,992 more: 10{DASH}201 …"


def test_a_finding_twice_in_a_line_is_counted_by_lines_while_all_are_known() -> None:
    beside = {"temperature": 1, "top_p": 1}  # both belong into body

    few = groups_of(*(request_line(n, **beside) for n in range(9)))["misplaced_field"]
    many = groups_of(*(request_line(n, **beside) for n in range(150)))["misplaced_field"]

    assert (few.extent, many.extent) == ("9 lines", "300 places")


def test_a_place_says_what_its_group_does_not() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
    lines = [request_line(n, body=body | {"max_tokens": n}) for n in (5.0, 5.0, 6.0)]

    places = groups_of(*lines)["bad_max_tokens"].places

    assert [place.remark[:17] for place in places] == ["", "", "max_tokens is 6.0"]


def test_a_repeated_line_names_the_line_it_repeats_and_no_more() -> None:
    group = groups_of(request_line(1), request_line(1))["duplicate_custom_id"]

    (place,) = group.places
    assert (place.finding.line, place.finding.other_line, place.remark) == (2, 1, "")


def test_the_file_as_a_whole_has_no_places() -> None:
    group = groups_of("custom_id,body", "1,2")["csv"]

    assert (group.extent, group.places, group.further) == ("whole file", [], "")
