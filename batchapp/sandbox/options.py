"""The command line's options, the same with Django and without."""

import argparse
from pathlib import Path

import msgspec

from batchapp.sandbox.faults.switches import Rule, SwitchError, Wish, rule_of

NAMES = ("host", "port", "data", "speed", "seed", "fault", "faults", "ledger")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, help="port; 0 takes any free one")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for its files; made if it is missing"
    )
    parser.add_argument(
        "--speed", type=_speed, default=1.0, help="how many times faster than life (default 1)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_rule,
        metavar="SWITCH",
        help="a fault such as lost-reply/create#1; may be given several times",
    )
    parser.add_argument(
        "--faults", type=_rules, default=[], metavar="FILE", help="faults as a JSON list"
    )
    parser.add_argument("--seed", type=int, help="decides what faults leave to chance (default 1)")
    parser.add_argument(
        "--ledger",
        action="store_true",
        help="print every batch in --data and what it cost, as JSON, and stop",
    )


def _speed(text: str) -> float:
    speed = float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return speed


def _rule(text: str) -> Rule:
    try:
        return rule_of(text)
    except SwitchError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _rules(text: str) -> list[Rule]:
    try:
        wishes = msgspec.json.decode(Path(text).read_bytes(), type=list[Wish | str])
        return [rule_of(wish) for wish in wishes]
    except (OSError, msgspec.DecodeError, SwitchError) as exc:
        raise argparse.ArgumentTypeError(f"{text}: {exc}") from exc
