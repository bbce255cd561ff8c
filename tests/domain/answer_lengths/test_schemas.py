import pytest

from batchapp.domain.answer_lengths.schemas import choice_tokens, length_of_call, length_of_json

TEXT = {"type": "string"}


def fields(**properties):
    return {"type": "object", "properties": properties}


def size(schema):
    return length_of_json(schema).tokens.expected


def test_json_is_as_long_as_its_keys_and_values():
    one, two = size(fields(a=TEXT)), size(fields(a=TEXT, b=TEXT))

    assert 10 <= one <= 16
    assert two == pytest.approx(2 * one - 2)
    assert size(fields(a={"type": "boolean"})) < one
    assert size(fields(summary=TEXT)) > size(fields(title=TEXT)) > size(fields(label=TEXT))
    assert size(fields(a={"type": ["string", "null"]})) < one


def test_a_description_or_a_limit_says_how_long_a_text_is():
    described = size(fields(a={**TEXT, "description": "Summarise it in two sentences."}))

    assert described > 40
    assert size(fields(summary={**TEXT, "maxLength": 20})) < size(fields(summary=TEXT))
    assert size(fields(a={**TEXT, "format": "uuid"})) > size(fields(a={**TEXT, "format": "date"}))


def test_arrays_have_as_many_items_as_they_must_and_some_where_nothing_is_said():
    def items(**limits):
        return size(fields(a={"type": "array", "items": TEXT, **limits}))

    assert items(maxItems=1) < items() < items(maxItems=10) < items(minItems=10)


def test_a_choice_is_as_long_as_its_mean_choice():
    assert choice_tokens(["yes", "no"]) == 1
    assert choice_tokens(["yes", "a much longer answer"]) == 3
    choice = fields(label={"enum": ["positive", "negative", None]})
    assert length_of_json(choice).words == "one of 3 choices, as JSON"
    assert 6 <= size(choice) <= 12


def test_references_and_alternatives_are_followed():
    pet = {"$defs": {"pet": fields(name=TEXT)}, **fields(a={"$ref": "#/$defs/pet"})}

    assert size(pet) == size(fields(a=fields(name=TEXT)))
    assert size(fields(a={"anyOf": [TEXT, {"type": "null"}]})) < size(fields(a=TEXT))
    assert size(fields(a={"allOf": [TEXT, TEXT]})) > size(fields(a=TEXT))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": 7},
        {"properties": 7, "type": "object"},
        {"$ref": "#"},
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}}},
        {"enum": []},
        {"type": "array", "items": 7, "maxItems": -1, "minItems": 10**30},
        {"anyOf": []},
        {"properties": {f"p{number}": TEXT for number in range(5_000)}},
        {"properties": {"a": {"enum": [None]}}},
        {"const": {"a": [1]}},
    ],
)
def test_odd_schemas_have_a_length(schema):
    tokens = length_of_json(schema).tokens

    assert 0 < tokens.low <= tokens.expected <= tokens.high < 1_000_000


def test_a_call_is_as_long_as_the_mean_of_its_tools():
    short, long = fields(a=TEXT), fields(a=TEXT, b=TEXT, c=TEXT)

    both = length_of_call([short, long])

    assert both.words == "a call of one of 2 tools"
    mean = (length_of_call([short]).tokens.expected + length_of_call([long]).tokens.expected) / 2
    assert both.tokens.expected == pytest.approx(mean)
