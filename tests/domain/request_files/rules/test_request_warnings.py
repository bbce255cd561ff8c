import pytest

from batchapp.domain.request_files.check_file import Severity
from batchapp.domain.request_files.findings import PORTAL_ONLY_CODES, SEVERITIES
from batchapp.domain.request_files.rules.request_warnings import find_secret
from tests.domain.request_lines import CHAT, check_bytes, codes, make_body, make_file, make_line

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def asking(schema: object, **fields: object) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **fields}}


def provider_batches(*content: object) -> dict:
    return make_body(messages=[{"role": "user", "content": list(content)}])


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("json", "no object"),
        ({}, "its type must be"),
        ({"type": "json"}, "its type must be"),
        ({"type": "json_schema"}, "json_schema is missing"),
        (asking(SCHEMA, name=""), "needs a name"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "schema is missing"),
        (asking([]), "schema is no schema"),
        (asking({"type": "str"}), "schema.type must be one of"),
        (asking({"type": ["string", "nil"]}), "schema.type must be one of"),
        (asking({"properties": {"a": {"type": "text"}}}), "schema.properties.a.type"),
        (asking({"properties": []}), "schema.properties must be an object"),
        (asking({"items": {"enum": []}}), "schema.items.enum must be a list"),
        (asking({"required": True}), "schema.required must be a list"),
        (asking({"anyOf": [{"minLength": -1}]}), "schema.anyOf.minLength must be a number"),
        (asking({"$ref": "#/$defs/a", "$defs": {"b": {}}}), "$ref leads nowhere"),
    ],
)
def test_an_answer_format_that_will_be_refused_is_a_warning(wanted, says):
    report = check_bytes(make_line(body=make_body(response_format=wanted)))

    assert report.finding_totals == {"bad_response_format": 1}
    assert report.is_valid
    assert says in report.findings[0].message


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        {"type": "text"},
        {"type": "json_object"},
        asking(SCHEMA, strict=True),
        asking({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#"}}}}),
        asking({"type": ["object", "null"], "additionalProperties": False, "oneOf": [True]}),
        asking({"properties": {"type": {"type": "string"}, "enum": {"enum": [1]}}}),
    ],
)
def test_a_sound_answer_format_is_no_fault(wanted):
    assert codes(make_line(body=make_body(response_format=wanted))) == {}


def test_the_responses_api_writes_its_format_flat():
    body = {"model": "m", "input": "a", "max_output_tokens": 1}
    flat = {"type": "json_schema", "name": "x", "schema": {"type": "nothing"}}

    assert codes(make_line(url="/v1/responses", body=body | {"text": {"format": flat}})) == {
        "bad_response_format": 1
    }


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            make_line(
                body=provider_batches({"type": "image_url", "image_url": {"url": "http://a/b"}})
            ),
            True,
        ),
        (make_line(body=provider_batches({"type": "image_url", "image_url": "HTTP://a/b"})), True),
        (make_line(body=provider_batches({"type": "image", "source": {"url": "http://a"}})), True),
        (
            make_line(
                body=provider_batches({"type": "image_url", "image_url": {"url": "https://a"}})
            ),
            False,
        ),
        (make_line(body=provider_batches({"type": "text", "text": "http://a"})), False),
        (make_line(body=make_body(messages=[{"content": "http://a/b.png"}])), False),
    ],
)
def test_an_image_over_http_is_a_warning(line, found):
    assert codes(line) == ({"http_image": 1} if found else {})


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("max_token", "perhaps max_tokens"),
        ("temprature", "perhaps temperature"),
        ("extra_body", "argument of the Python client"),
        ("zzz", "leave it out unless"),
    ],
)
def test_a_field_that_the_url_does_not_know_is_a_warning(field, says):
    report = check_bytes(make_line(body=make_body(**{field: 1})))

    assert report.finding_totals == {"unknown_field": 1}
    assert says in report.findings[0].message


def test_a_field_beside_the_body_that_belongs_into_it_is_a_warning():
    assert codes(make_line(temperature=1, note="mine")) == {"misplaced_field": 1}


SECRETS = [
    "sk-" + "aB3" * 16,
    "sk-proj-" + "aB3_x-9" * 12 + "A" * 20,
    "AKIA" + "ABCD1234EFGH5678",
    "ghp_" + "a1B2" * 9,
    "xoxb-123456789012-1234567890123-" + "aB3d" * 6,
    "AIza" + "Sy0aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"[:35],
    "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF0qJDr8",
]


@pytest.mark.parametrize("secret", SECRETS, ids=[secret[:8] for secret in SECRETS])
def test_what_looks_like_a_key_is_a_warning_that_does_not_repeat_it(secret):
    body = make_body(messages=[{"role": "user", "content": f"Use {secret} for it"}])

    report = check_bytes(make_line(body=body))

    assert report.finding_totals == {"secret": 1}
    assert secret[5:] not in report.findings[0].message


@pytest.mark.parametrize("secret", SECRETS[:-1], ids=[secret[:8] for secret in SECRETS[:-1]])
def test_a_key_begins_where_a_word_begins(secret):
    assert find_secret(f"Use {secret} for it".encode())
    assert find_secret(f'"{secret}"'.encode())
    assert not find_secret(f"x{secret}".encode())
    assert not find_secret(f"_{secret}".encode())


def test_a_github_key_of_the_new_kind_is_one_too():
    assert find_secret(b"github_pat_" + b"aB3dE6gH9jK" * 2 + b"_" + b"x1" * 29 + b"y")


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn is a library, and risk-averse-people-who-read-long-hyphenated-words-like-it",
        "0123456789abcdef0123456789abcdef is a checksum, internationalization is a word",
        "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf" * 9,
    ],
)
def test_long_words_checksums_and_images_are_no_secrets(text):
    body = make_body(messages=[{"role": "user", "content": text}])

    assert codes(make_line(body=body)) == {}


def test_rows_that_ask_the_same_are_counted_with_what_they_come_to():
    same = make_body(max_tokens=5)
    lines = [
        make_line(custom_id="a", body=same),
        make_line(custom_id="b", body=make_body(max_tokens=6)),
        make_line(custom_id="c", body=same),
        make_line(custom_id="d", body=same),
        make_line(custom_id="e", body=same, method="GET"),
    ]

    report = check_bytes(make_file(*lines))

    twins = [finding for finding in report.findings if finding.code == "identical_body"]
    assert [(finding.line, finding.other_line) for finding in twins] == [(3, 1), (4, 1)]
    assert report.is_valid is False
    one = check_bytes(make_line(body=same)).models["m"]
    assert report.repeated["m"].requests == 2
    assert report.repeated["m"].input_tokens == 2 * one.input_tokens
    assert report.repeated["m"].max_output_tokens == 10


def test_the_last_of_two_fields_of_a_body_counts_and_that_is_said():
    line = make_line()[:-2] + b', "model": "other"}}'

    report = check_bytes(line)

    assert report.finding_totals == {"repeated_body_key": 1}
    assert list(report.models) == ["other"]


def test_a_carriage_return_within_a_line_is_told_since_editors_disagree_about_it():
    line = make_line().replace(b', "method"', b',\r"method"')

    report = check_bytes(make_file(make_line(custom_id="b", body=make_body(seed=1)), line))

    assert [(finding.line, finding.code, finding.severity) for finding in report.findings] == [
        (2, "carriage_return", Severity.INFO)
    ]


def test_each_fault_says_at_which_byte_its_line_begins():
    data = b"\r\n" + make_line() + b"\r\n{\n"

    (finding,) = check_bytes(data).findings

    assert data[finding.offset :] == b"{\n"


def test_errors_that_the_provider_does_not_know_are_marked_as_ours():
    report = check_bytes(make_file(make_line(), make_line(), make_line(url="/x")))

    assert {finding.code: finding.is_portal_only for finding in report.findings} == {
        "duplicate_custom_id": True,
        "url_not_allowed": False,
    }
    assert not PORTAL_ONLY_CODES & SEVERITIES.keys()
    assert CHAT
