"""The meaning of switches, and the refusal of invalid ones."""

import pytest

from batchapp.sandbox.faults.kinds import CALLS, KINDS
from batchapp.sandbox.faults.switches import RuleSpec, SwitchError, parse_key_rules, parse_rule

BATCH = "/v1/batches/0b5bd4ad-4d39-4a49-9e8e-0c3c7fbd9f0c"


def selected_calls(rule, *, seed: int = 1, calls: int = 10) -> list[int]:
    return [number for number in range(1, calls + 1) if rule.selects_call(number, seed)]


def test_a_fault_without_details_applies_to_its_default_calls_with_its_default_value():
    rule = parse_rule("late-request")

    assert rule.amount == 5
    assert rule.matches("POST", "/v1/batches", "")
    assert rule.matches("POST", "/ai/v1/batches", "")
    assert not rule.matches("GET", "/v1/batches", "")
    assert not rule.matches("POST", f"{BATCH}/cancel", "")
    assert selected_calls(rule) == list(range(1, 11))


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("1", [1]),
        ("2,4", [2, 4]),
        ("3-5", [3, 4, 5]),
        ("9-", [9, 10]),
        ("1,9-", [1, 9, 10]),
        ("0%", []),
        ("100%", list(range(1, 11))),
    ],
)
def test_a_switch_selects_calls_by_number(which, numbers):
    assert selected_calls(parse_rule(f"error#{which}")) == numbers


def test_random_selection_depends_on_the_seed_only():
    rule = parse_rule("error#50%")

    first = selected_calls(rule, seed=1, calls=200)

    assert selected_calls(parse_rule("error#50%"), seed=1, calls=200) == first
    assert selected_calls(rule, seed=2, calls=200) != first
    assert 70 < len(first) < 130


def test_calls_can_be_named_grouped_or_described():
    named = parse_rule("slow=2/create,cancel")
    reads = parse_rule("slow/read")
    described = parse_rule(RuleSpec("slow", method="get", path="/v1/files/*/content"))

    assert named.matches("POST", f"{BATCH}/cancel", "")
    assert not named.matches("POST", f"{BATCH}/retry", "")
    assert reads.matches("GET", "/v1/models", "")
    assert not reads.matches("POST", "/v1/batches", "")
    assert described.matches("GET", "/ai/v1/files/x/content", "")
    assert not described.matches("GET", "/v1/files", "")
    assert not described.matches("POST", "/v1/files/x/content", "")


def test_a_rule_may_be_active_for_some_time_only():
    rule = parse_rule("error@5-10")

    assert [rule.is_active(age) for age in (0, 5, 9.9, 10)] == [False, True, True, False]
    assert parse_rule("error@5-").is_active(1e6)


def test_a_key_carries_switches_for_its_own_account_only():
    slow, lost = parse_key_rules("sk-ana~slow=1/read~lost-reply#1")

    assert (slow.fault, lost.fault) == ("slow", "lost-reply")
    assert slow.account == lost.account
    assert not slow.matches("GET", "/v1/files", "somebody else")
    assert slow.matches("GET", "/v1/files", slow.account)


@pytest.mark.parametrize(
    "switch",
    ["", "lost-replies", "slow=soon", "gone=3", "slow/creates", "slow#0.5", "slow#", "slow@x"],
)
def test_an_invalid_switch_is_refused(switch):
    with pytest.raises(SwitchError):
        parse_rule(switch)


def test_every_fault_has_calls_that_exist_and_a_meaning():
    for name, kind in KINDS.items():
        assert parse_rule(name).calls == kind.calls
        assert set(kind.calls) <= CALLS.keys() | {"any", "read", "write"}
        assert kind.meaning
