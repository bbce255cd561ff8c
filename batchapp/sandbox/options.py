"""The command line's options, the same with Django and without."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port; 0 takes any free one")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for its files; made if it is missing"
    )
    parser.add_argument(
        "--speed", type=_speed, default=1.0, help="how many times faster than life (default 1)"
    )


def _speed(text: str) -> float:
    speed = float(text)
    if not speed > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return speed
