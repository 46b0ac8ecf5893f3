"""Looks for programs that go wrong, or runs one."""

from __future__ import annotations

import argparse
import json
import sys

from .children import Children
from .machine import search


def main() -> int:
    """The command line; exit code 1 if something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stateful", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="how long to search")
    parser.add_argument("--without", nargs="*", default=[], metavar="OPERATION", help="operations to leave out")
    parser.add_argument("--program", metavar="JSON", help="run this one instead")
    options = parser.parse_args()
    if options.program is None:
        found = search(60 * options.minutes, options.without)
        print(*found, sep="\n\n")
        return bool(found)
    children = Children()
    try:
        report = children.run(json.loads(options.program))
    finally:
        children.close()
    print(report)
    return not report.passed


if __name__ == "__main__":
    sys.exit(main())
