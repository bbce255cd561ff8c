"""``python -m batchapp.sandbox``: the sandbox without Django."""

import argparse
import sys

from batchapp.sandbox.options import add_options
from batchapp.sandbox.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m batchapp.sandbox", description=__doc__)
    add_options(parser)
    chosen = parser.parse_args()
    return serve(host=chosen.host, port=chosen.port, data=chosen.data, speed=chosen.speed)


if __name__ == "__main__":
    sys.exit(main())
