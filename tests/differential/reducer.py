"""Makes a failing program smaller: `python -m tests.differential.reducer SEED [BACKEND]` prints a program that still differs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from .generator import Program, generate
from .runners import run_on_wasmcore, run_on_wasmtime
from .tree import Node
from .values import constant


def reduce(program: Program, fails: Callable[[Program], bool]) -> None:
    """Remove calls and replace parts of bodies by zeros, in place, as long as the program fails."""
    _remove_calls(program, fails)
    for function in program.functions:
        attempt_all(function.body, lambda: fails(program))


def _remove_calls(program: Program, fails: Callable[[Program], bool]) -> None:
    for call in list(program.calls):
        kept = program.calls
        program.calls = [other for other in kept if other is not call]
        if not fails(program):
            program.calls = kept


def attempt_all(root: Node, fails: Callable[[], bool]) -> None:
    """Replace each node that may be replaced, from the top, where it still fails without it."""
    for node in list(root.walk()):
        before = node.parts
        if node.fixed or not any(isinstance(part, Node) or part for part in before):
            continue
        after = [constant(t) for t in node.results]
        if list(before) == after:
            continue
        node.parts = after
        if not fails():
            node.parts = before


def main(seed: int, backend: str) -> None:
    """Reduce the program of a seed, print what differs and write the module to the current folder."""

    def fails(program: Program) -> bool:
        expected = run_on_wasmtime(program)
        try:
            return bool(expected.differences(run_on_wasmcore(program, backend)))
        except Exception as error:  # An error of the engine is a failure, too.
            print(type(error).__name__, error, file=sys.stderr)
            return True

    program = generate(seed)
    if not fails(program):
        print(f"seed {seed}: no difference")
        return
    reduce(program, fails)
    output = Path(f"reduced-{seed}.wasm")
    output.write_bytes(program.to_bytes())
    print(program.calls)
    print(*run_on_wasmtime(program).differences(run_on_wasmcore(program, backend)), sep="\n")
    print(f"written to {output}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "singlepass")
