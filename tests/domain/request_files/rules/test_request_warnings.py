import pytest

from batchapp.domain.request_files.check_file import Severity
from batchapp.domain.request_files.findings import PORTAL_ONLY_CODES, SEVERITIES
from batchapp.domain.request_files.rules.request_warnings import find_secret
from tests.domain.request_lines import CHAT, check_bytes, codes, make_body, make_file, make_line

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = SCHEMA | {"additionalProperties": False}


def format_of(schema: object, **fields: object) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, **fields}}


def with_parts(*parts: object) -> dict:
    return make_body(messages=[{"role": "user", "content": list(parts)}])


@pytest.mark.parametrize(
    ("answer_format", "words"),
    [
        ("json", "no object"),
        ({}, "its type must be"),
        ({"type": "json"}, "its type must be"),
        ({"type": "json_schema"}, "json_schema is missing"),
        ({"type": "json_schema", "name": "x", "schema": SCHEMA}, "the shape of /v1/responses"),
        (SCHEMA, "it is a schema alone"),
        (format_of(SCHEMA, name=""), "needs a name"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "schema is missing"),
        (format_of([]), "schema is no schema"),
        (format_of({"type": "str"}), "schema.type must be one of"),
        (format_of({"type": ["string", "nil"]}), "schema.type must be one of"),
        (format_of({"properties": {"a": {"type": "text"}}}), "schema.properties.a.type"),
        (format_of({"properties": []}), "schema.properties must be an object"),
        (format_of({"items": {"enum": []}}), "schema.items.enum must be a list"),
        (format_of({"required": True}), "schema.required must be a list"),
        (format_of({"anyOf": [{"minLength": -1}]}), "schema.anyOf.minLength must be a number"),
        (format_of({"$ref": "#/$defs/a", "$defs": {"b": {}}}), "$ref leads nowhere"),
    ],
)
def test_an_answer_format_that_will_be_refused_is_a_warning(answer_format, words):
    report = check_bytes(make_line(body=make_body(response_format=answer_format)))

    assert report.finding_totals == {"bad_response_format": 1}
    assert report.is_valid
    assert words in report.findings[0].message


@pytest.mark.parametrize(
    "answer_format",
    [
        None,
        {"type": "text"},
        {"type": "json_object"},
        format_of(SCHEMA),
        format_of(STRICT, strict=True),
        format_of({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#"}}}}),
        format_of({"type": ["object", "null"], "additionalProperties": False, "oneOf": [True]}),
        format_of({"properties": {"type": {"type": "string"}, "enum": {"enum": [1]}}}),
    ],
)
def test_a_valid_answer_format_has_no_finding(answer_format):
    assert codes(make_line(body=make_body(response_format=answer_format))) == {}


def test_the_responses_api_writes_its_format_flat():
    body = {"model": "m", "input": "a", "max_output_tokens": 1}
    flat = {"type": "json_schema", "name": "x", "schema": {"type": "nothing"}}

    assert codes(make_line(url="/v1/responses", body=body | {"text": {"format": flat}})) == {
        "bad_response_format": 1
    }
    nested = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    line = make_line(url="/v1/responses", body=body | {"text": {"format": nested}})
    assert "belongs to chat completions" in check_bytes(line).findings[0].message


@pytest.mark.parametrize(
    ("body", "totals"),
    [
        (with_parts({"type": "image_url", "image_url": {"url": "http://a"}}), {"http_image": 1}),
        (with_parts({"type": "image_url", "image_url": "HTTP://a/b"}), {"http_image": 1}),
        (with_parts({"type": "image_url", "image_url": {"url": "https://a"}}), {}),
        (with_parts({"type": "text", "text": "http://a"}), {}),
        (make_body(messages=[{"role": "user", "content": "http://a/b.png"}]), {}),
    ],
)
def test_an_image_over_http_is_a_warning(body, totals):
    assert codes(make_line(body=body)) == totals


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("max_token", "perhaps max_tokens"),
        ("temprature", "perhaps temperature"),
        ("extra_body", "argument of the Python client; write its fields into body"),
        ("zzz", "leave it out unless"),
    ],
)
def test_a_field_that_the_url_does_not_know_is_a_warning(field, words):
    report = check_bytes(make_line(body=make_body(**{field: 1})))

    assert report.finding_totals == {"unknown_field": 1}
    assert words in report.findings[0].message


@pytest.mark.parametrize(
    ("url", "fields", "words"),
    [
        (CHAT, {"max_output_tokens": 5}, "leave it out, since max_tokens is set."),
        (CHAT, {"max_tokens": ..., "max_output_tokens": 5}, "write max_tokens."),
        (CHAT, {"max_tokens": ..., "maxTokens": 5}, "write max_tokens."),
        (CHAT, {"instructions": "a"}, "write a message with the role system."),
        (CHAT, {"text": {}}, "write response_format."),
        (CHAT, {"stop_sequences": ["a"]}, "write stop."),
        ("/v1/responses", {"input": "a", "max_tokens": 5}, "write max_output_tokens."),
        ("/v1/responses", {"input": "a", "max_completion_tokens": 5}, "write max_output_tokens."),
        ("/v1/responses", {"input": "a", "response_format": {}}, "write text.format."),
        ("/v1/responses", {"input": "a", "system": "b"}, "write instructions."),
        ("/v1/completions", {"prompt": "a", "max_output_tokens": 5}, "write max_tokens."),
        ("/v1/embeddings", {"input": "a", "texts": ["b"]}, "since input is set."),
        ("/v1/messages", {"stop": ["a"], "instructions": "a"}, "(and 1 more)"),
        ("/v1/messages", {"zzz": 1, "stop": ["a"]}, "write stop_sequences."),
        ("/v1/messages", {"response_format": {}}, "write output_config.format."),
    ],
)
def test_a_field_of_another_url_is_a_warning_that_names_the_field_to_write(url, fields, words):
    body = {"model": "m"} | fields
    if url in {CHAT, "/v1/messages"}:
        body = make_body(**fields)

    report = check_bytes(make_line(url=url, body=body))

    (message,) = [
        finding.message
        for finding in report.findings
        if finding.code == "field_of_another_endpoint"
    ]
    assert words in message


@pytest.mark.parametrize(
    ("url", "fields", "words"),
    [
        ("/v1/responses", {"messages": [{"role": "user", "content": "a"}]}, "body has messages"),
        ("/v1/completions", {"messages": []}, "reads prompt"),
        ("/v1/embeddings", {"texts": ["a"]}, "reads input"),
    ],
)
def test_an_input_by_the_name_of_another_url_is_an_error_that_names_both(url, fields, words):
    report = check_bytes(make_line(url=url, body={"model": "m"} | fields))

    assert not report.is_valid
    assert words in report.findings[0].message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (SCHEMA, "additionalProperties: false at the top of the schema"),
        (STRICT | {"required": []}, "a among the required at the top"),
        (
            {"type": "array", "items": {"type": "string"}},
            "an object, not an array or a choice, at the top",
        ),
        (STRICT | {"properties": {"a": SCHEMA}}, "additionalProperties: false in properties.a of"),
        (
            STRICT | {"properties": {"a": {"type": "array", "items": STRICT | {"required": []}}}},
            "a among the required in properties.a.items",
        ),
    ],
)
def test_a_schema_that_only_some_providers_take_as_strict_is_a_warning(schema, words):
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
    bodies = (
        make_body(response_format=format_of(schema, strict=True)),
        make_body(tools=[tool]),
    )

    for body in bodies:
        (finding,) = check_bytes(make_line(body=body)).findings
        assert (finding.code, finding.severity) == ("strict_schema", Severity.WARNING)
        assert words.removesuffix(" of the schema") in finding.message
    relaxed = make_body(response_format=format_of(schema, strict=False))
    assert codes(make_line(body=relaxed)) == {}


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
def test_a_secret_is_a_warning_that_does_not_repeat_it(secret):
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


def test_a_github_key_of_the_new_kind_is_a_secret():
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


def test_requests_with_an_identical_body_are_counted_with_their_tokens():
    same = make_body(max_tokens=5)
    lines = [
        make_line(custom_id="a", body=same),
        make_line(custom_id="b", body=make_body(max_tokens=6)),
        make_line(custom_id="c", body=same),
        make_line(custom_id="d", body=same),
        make_line(custom_id="e", body=same, method="GET"),
    ]

    report = check_bytes(make_file(*lines))

    identical = [finding for finding in report.findings if finding.code == "identical_body"]
    assert [(finding.line, finding.other_line) for finding in identical] == [(3, 1), (4, 1)]
    assert report.is_valid is False
    alone = check_bytes(make_line(body=same)).models["m"]
    assert report.repeated["m"].requests == 2
    assert report.repeated["m"].input_tokens == 2 * alone.input_tokens
    assert report.repeated["m"].max_output_tokens == 10


def test_the_last_of_two_equal_fields_of_a_body_counts_and_that_is_a_warning():
    line = make_line()[:-2] + b', "model": "other"}}'

    report = check_bytes(line)

    assert report.finding_totals == {"repeated_body_key": 1}
    assert list(report.models) == ["other"]


def test_a_carriage_return_within_a_line_is_an_information_since_editors_disagree_about_it():
    line = make_line().replace(b', "method"', b',\r"method"')

    report = check_bytes(make_file(make_line(custom_id="b", body=make_body(seed=1)), line))

    assert [(finding.line, finding.code, finding.severity) for finding in report.findings] == [
        (2, "carriage_return", Severity.INFO)
    ]


def test_each_finding_has_the_byte_at_which_its_line_begins():
    data = b"\r\n" + make_line() + b"\r\n{\n"

    (finding,) = check_bytes(data).findings

    assert data[finding.offset :] == b"{\n"


def test_errors_that_the_provider_does_not_check_are_marked():
    report = check_bytes(make_file(make_line(), make_line(), make_line(url="/x")))

    assert {finding.code: finding.is_portal_only for finding in report.findings} == {
        "duplicate_custom_id": True,
        "url_not_allowed": False,
    }
    assert not PORTAL_ONLY_CODES & SEVERITIES.keys()
