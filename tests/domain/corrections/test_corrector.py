import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    Choice,
    CorrectionKind,
    corrections_for,
)
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.request_files.check_file import Limits, check
from batchapp.domain.request_files.findings import FILE_CODES, SEVERITIES
from tests.domain.request_lines import LIMITS, check_bytes, make_body, make_file, make_line

BOM = b"\xef\xbb\xbf"


def correct(
    data: bytes, *corrections: CorrectionKind, limits: Limits = LIMITS, chunk: int = 1024, **values
) -> tuple[bytes, dict[CorrectionKind, int]]:
    """Return the new file, and the number of rows per correction."""
    corrector = Corrector(Choice(frozenset(corrections), **values), limits)

    def chunks() -> Iterable[bytes]:
        return (data[at : at + chunk] for at in range(0, len(data), chunk))

    return b"".join(corrector.run(chunks)), dict(corrector.changed)


def ids(data: bytes) -> list[str]:
    return [json.loads(line)["custom_id"] for line in data.splitlines()]


def bodies(data: bytes) -> list[dict]:
    return [json.loads(line)["body"] for line in data.splitlines()]


def test_bad_rows_are_dropped_and_the_others_keep_their_every_byte():
    good = b'  {"custom_id" : "a","method":"post",' + make_line(custom_id=...)[19:]
    data = good + b"\r\n\r\n{\r\n" + make_line(method="GET") + b"\n" + make_line(custom_id="z")

    new, changed = correct(data, CorrectionKind.DROP_BAD_ROWS)

    assert new == good + b"\r\n\r\n" + make_line(custom_id="z")
    assert changed == {CorrectionKind.DROP_BAD_ROWS: 2}


def test_of_rows_with_one_custom_id_the_first_good_one_stays():
    first = make_line(custom_id="a", body=make_body(seed=1))
    data = make_file(make_line(custom_id="a", method="GET"), first, make_line(custom_id="a"))

    new, changed = correct(data, CorrectionKind.DROP_BAD_ROWS)

    assert new == make_file(first)
    assert changed == {CorrectionKind.DROP_BAD_ROWS: 2}


def test_duplicates_get_the_next_number_that_is_free_in_the_whole_file():
    data = make_file(*(make_line(custom_id=name) for name in ("a", "a", "b", "a", "a-2", "a-4")))

    new, changed = correct(data, CorrectionKind.SUFFIX_DUPLICATES)

    assert ids(new) == ["a", "a-3", "b", "a-5", "a-2", "a-4"]
    assert changed == {CorrectionKind.SUFFIX_DUPLICATES: 2}


def test_a_numbered_custom_id_is_no_longer_than_is_allowed():
    name = "x" * 64
    data = make_file(*[make_line(custom_id=name)] * 12)

    new, _ = correct(data, CorrectionKind.SUFFIX_DUPLICATES)

    assert len(set(ids(new))) == 12
    assert {len(custom_id) for custom_id in ids(new)} == {64}


def test_the_model_is_set_where_none_is_named_or_everywhere():
    lines = [
        make_line(custom_id=f"{number}", body=make_body(model=model))
        for number, model in enumerate([..., "", None, "other"])
    ]

    missing, few = correct(make_file(*lines), CorrectionKind.SET_MODEL, model="m")
    everywhere, all_ = correct(
        make_file(*lines), CorrectionKind.SET_MODEL, model="m", every_model=True
    )

    assert [body["model"] for body in bodies(missing)] == ["m", "m", "m", "other"]
    assert [body["model"] for body in bodies(everywhere)] == ["m"] * 4
    assert (few, all_) == ({CorrectionKind.SET_MODEL: 3}, {CorrectionKind.SET_MODEL: 4})


def test_max_tokens_is_set_where_it_is_missing_or_wrong_in_the_field_of_the_url():
    data = make_file(
        make_line(custom_id="a", body=make_body(max_tokens=...)),
        make_line(custom_id="b", body=make_body(max_tokens=-1)),
        make_line(custom_id="c", body=make_body(max_tokens=..., max_completion_tokens="9")),
        make_line(custom_id="d", url="/v1/responses", body={"model": "m", "input": "a"}),
        make_line(custom_id="e", url="/v1/embeddings", body={"model": "m", "input": "a"}),
        make_line(custom_id="f"),
    )

    new, changed = correct(data, CorrectionKind.SET_MAX_TOKENS, max_tokens=7)

    limits = [
        {name: value for name, value in body.items() if name.startswith("max_")}
        for body in bodies(new)
    ]
    assert limits == [
        {"max_tokens": 7},
        {"max_tokens": 7},
        {"max_completion_tokens": 7},
        {"max_output_tokens": 7},
        {},
        {"max_tokens": 10},
    ]
    assert changed == {CorrectionKind.SET_MAX_TOKENS: 4}


def test_stream_is_removed_with_its_options():
    body = make_body(stream=True, stream_options={"include_usage": True})
    data = make_file(make_line(body=body), make_line(custom_id="b", body=make_body(stream=False)))

    new, changed = correct(data, CorrectionKind.STRIP_STREAM)

    assert new.splitlines()[1] == data.splitlines()[1]
    assert bodies(new)[0] == make_body()
    assert changed == {CorrectionKind.STRIP_STREAM: 1}


def test_the_byte_order_mark_is_removed_and_nothing_else():
    data = make_file(make_line())

    assert correct(BOM + data, CorrectionKind.REMOVE_BYTE_ORDER_MARK)[0] == data


def test_a_line_too_long_for_memory_is_dropped_or_copied_whole():
    limits = Limits(max_bytes=10**9, max_body_bytes=10)
    long = make_line(custom_id="long", body=make_body(seed="x" * 3_000_000))
    data = make_file(long, make_line(body={"a": 1}))

    copied, no_changes = correct(data, CorrectionKind.STRIP_STREAM, limits=limits, chunk=50_000)
    dropped, changed = correct(data, CorrectionKind.DROP_BAD_ROWS, limits=limits, chunk=50_000)

    assert (copied, no_changes) == (data, {})
    assert (dropped, changed) == (b"", {CorrectionKind.DROP_BAD_ROWS: 2})


def test_a_line_that_names_a_field_twice_is_not_written_again():
    data = make_file(make_line(body=make_body(stream=True))[:-1] + b', "url": "/v1/messages"}')

    assert correct(data, CorrectionKind.STRIP_STREAM) == (data, {})


@pytest.mark.parametrize(
    "values", [{}, {"model": " "}, {"max_tokens": 0}, {"max_tokens": -1}, {"max_tokens": 10**9}]
)
def test_an_incomplete_choice_is_a_value_error(values):
    with pytest.raises(ValueError, match="needs"):
        Corrector(
            Choice(frozenset({CorrectionKind.SET_MODEL, CorrectionKind.SET_MAX_TOKENS}), **values),
            LIMITS,
        )


def test_every_error_of_a_line_has_a_correction_and_errors_of_a_file_have_none():
    assert corrections_for("duplicate_custom_id") == [
        CorrectionKind.SUFFIX_DUPLICATES,
        CorrectionKind.DROP_BAD_ROWS,
    ]
    assert corrections_for("invalid_json") == [CorrectionKind.DROP_BAD_ROWS]
    assert corrections_for("no_max_tokens") == [CorrectionKind.SET_MAX_TOKENS]
    assert corrections_for("empty_file") == corrections_for("unknown_field") == []
    assert set(CORRECTION_RULES) == set(CorrectionKind)
    named = {code for rule in CORRECTION_RULES.values() for code in rule.codes}
    spread_out = {"utf16", "json_array", "pretty_printed_json", "requests_object"}
    assert {code for code in named if code in FILE_CODES} <= {*SEVERITIES, *spread_out}


LINES = st.lists(
    st.sampled_from(
        [
            *(make_line(custom_id=name) for name in ("a", "a-2", "b" * 64, "", "é")),
            make_line(method="GET"),
            make_line(body=make_body(model=..., stream=True)),
            make_line(body=make_body(model=7, max_tokens="x")),
            make_line()[:-1] + b', "url": "/v1/messages"}',
            make_line()[:-3],
            BOM + make_line(custom_id="bom"),
            b"\xff",
            b"[1]",
            b" \r",
            b"\xc2\xa0" + make_line(custom_id="spaced") + b"\xe2\x80\xa8",
            make_line(custom_id="long", body=make_body(seed="y" * 3000)),
        ]
    ),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(LINES, st.sets(st.sampled_from(CorrectionKind)), st.integers(1, 4000))
def test_a_fully_corrected_file_can_be_sent_and_correcting_it_again_changes_nothing(
    rows, chosen, chunk
):
    data = make_file(make_line(custom_id="first"), *rows)
    limits = Limits(max_bytes=10**6, max_body_bytes=2_000)
    corrections = {*chosen, CorrectionKind.DROP_BAD_ROWS}
    values = {"model": "m", "max_tokens": 5, "url": "/v1/chat/completions"}

    new, changed = correct(data, *corrections, limits=limits, chunk=chunk, **values)
    again, unchanged = correct(new, *corrections, limits=limits, **values)

    report = check([new], limits)
    assert report.is_valid, report.finding_totals
    dropped = (CorrectionKind.DROP_BAD_ROWS, CorrectionKind.DROP_REPEATED)
    assert report.requests + sum(changed.get(kind, 0) for kind in dropped) == (
        check_bytes(data, limits).requests
    )
    assert (again, {key: count for key, count in unchanged.items() if count}) == (new, {})
