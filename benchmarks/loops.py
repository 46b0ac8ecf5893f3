"""How many innermost loops the LLVM backend gives a fast copy, and why not the others; see README.md."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from engines import HERE
from timing import print_table

from wasmcore.binary import decode
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter
from wasmcore_llvm.text.module import module_text
from wasmcore_llvm.text.state import Unit

UNIT_SIZE = 1 << 19


def loops(path: Path) -> Counter[str]:
    """The number of loops by what becomes of them: "" is a fast copy, other keys are reasons for none."""
    info = decode(path.read_bytes())
    environment = plan(info, tuple(not memory.type.limits.index64 for memory in info.memories))
    writer = StreamWriter(info)
    found: Counter[str] = Counter()
    done = info.imported_functions
    while done < info.function_count:
        streams = tuple(writer.streams(done, UNIT_SIZE))
        done += len(streams)
        unit = Unit(environment, "x86_64", frozenset(), True, False)
        module_text(unit, streams)
        found.update(unit.loops)
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", type=Path, help="modules, or folders of them (default: kernels, programs, examples)")
    folders = [HERE / "kernels", HERE / "programs", HERE.parent / "examples"]
    paths = parser.parse_args().modules or folders
    total: Counter[str] = Counter()
    rows: list[list[str | float]] = []
    for path in paths:
        found = Counter[str]()
        for module in sorted(path.glob("*.wasm")) if path.is_dir() else [path]:
            found += loops(module)
        total += found
        innermost = found.total() - found["not innermost"]
        rows.append([path.name, str(innermost), str(found[""]), f"{found[''] / max(1, innermost):.0%}"])
    print_table(["modules", "innermost loops", "with a fast copy", ""], rows)
    print()
    reasons = [[reason, str(number)] for reason, number in total.most_common() if reason not in ("", "not innermost")]
    print_table(["why not", "loops"], reasons)


if __name__ == "__main__":
    main()
