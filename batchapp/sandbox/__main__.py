"""Serve a local simulation of the provider's batch API, without Django."""

import argparse
import sys

from batchapp.sandbox.command_line import NAMES, add_options, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m batchapp.sandbox", description=__doc__)
    add_options(parser)
    chosen = parser.parse_args()
    return run(**{name: getattr(chosen, name) for name in NAMES})


if __name__ == "__main__":
    sys.exit(main())
