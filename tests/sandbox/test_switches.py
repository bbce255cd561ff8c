"""The language of faults: what a switch means, and which are refused."""

import pytest

from batchapp.sandbox.faults.kinds import CALLS, KINDS
from batchapp.sandbox.faults.switches import SwitchError, Wish, rule_of, rules_of_key

BATCH = "/v1/batches/0b5bd4ad-4d39-4a49-9e8e-0c3c7fbd9f0c"


def struck(rule, *, seed: int = 1, calls: int = 10) -> list[int]:
    return [number for number in range(1, calls + 1) if rule.strikes(number, seed)]


def test_a_bare_fault_strikes_all_of_its_usual_calls_with_its_usual_value():
    rule = rule_of("late-request")

    assert rule.amount == 5
    assert rule.matches("POST", "/v1/batches", "")
    assert rule.matches("POST", "/ai/v1/batches", "")
    assert not rule.matches("GET", "/v1/batches", "")
    assert not rule.matches("POST", f"{BATCH}/cancel", "")
    assert struck(rule) == list(range(1, 11))


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
def test_a_switch_says_which_calls_it_strikes(which, numbers):
    assert struck(rule_of(f"error#{which}")) == numbers


def test_chance_falls_by_the_seed_and_by_nothing_else():
    rule = rule_of("error#50%")

    first = struck(rule, seed=1, calls=200)

    assert struck(rule_of("error#50%"), seed=1, calls=200) == first
    assert struck(rule, seed=2, calls=200) != first
    assert 70 < len(first) < 130


def test_calls_can_be_named_grouped_or_described():
    named = rule_of("slow=2/create,cancel")
    reads = rule_of("slow/read")
    described = rule_of(Wish("slow", method="get", path="/v1/files/*/content"))

    assert named.matches("POST", f"{BATCH}/cancel", "")
    assert not named.matches("POST", f"{BATCH}/retry", "")
    assert reads.matches("GET", "/v1/models", "")
    assert not reads.matches("POST", "/v1/batches", "")
    assert described.matches("GET", "/ai/v1/files/x/content", "")
    assert not described.matches("GET", "/v1/files", "")
    assert not described.matches("POST", "/v1/files/x/content", "")


def test_a_rule_may_be_in_force_for_some_time_only():
    rule = rule_of("error@5-10")

    assert [rule.is_due(age) for age in (0, 5, 9.9, 10)] == [False, True, True, False]
    assert rule_of("error@5-").is_due(1e6)


def test_a_key_carries_switches_for_its_own_account_only():
    slow, lost = rules_of_key("sk-ana~slow=1/read~lost-reply#1")

    assert (slow.fault, lost.fault) == ("slow", "lost-reply")
    assert slow.account == lost.account
    assert not slow.matches("GET", "/v1/files", "somebody else")
    assert slow.matches("GET", "/v1/files", slow.account)


@pytest.mark.parametrize(
    "switch",
    ["", "lost-replies", "slow=soon", "gone=3", "slow/creates", "slow#0.5", "slow#", "slow@x"],
)
def test_what_cannot_be_understood_is_refused(switch):
    with pytest.raises(SwitchError):
        rule_of(switch)


def test_every_fault_has_calls_that_exist_and_a_meaning():
    for name, kind in KINDS.items():
        assert rule_of(name).calls == kind.calls
        assert set(kind.calls) <= CALLS.keys() | {"any", "read", "write"}
        assert kind.meaning
