"""Looks for programs that go wrong, or runs one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from hashlib import sha256

from .children import FOUND, Children
from .machine import search


def search_and_write(minutes: float, without: Collection[str] = ()) -> int:
    """Look for wrong programs for so long, print them and write them to `found`; how many there are."""
    found = search(60 * minutes, without)
    for wrong in found:
        print(wrong, end="\n\n")
        data = json.dumps(wrong.program)
        FOUND.mkdir(exist_ok=True)
        (FOUND / f"{sha256(data.encode()).hexdigest()[:12]}.json").write_text(data + "\n")
    return len(found)


def main() -> int:
    """The command line; exit code 1 if something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.stateful", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="how long to search")
    parser.add_argument("--without", nargs="*", default=[], metavar="OPERATION", help="operations to leave out")
    parser.add_argument("--program", metavar="JSON", help="run this one instead")
    options = parser.parse_args()
    if options.program is None:
        return bool(search_and_write(options.minutes, options.without))
    children = Children()
    try:
        report = children.run(json.loads(options.program))
    finally:
        children.close()
    print(report)
    return not report.passed


if __name__ == "__main__":
    sys.exit(main())
